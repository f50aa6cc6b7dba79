"""openapi/documents.py: references that lead nowhere, and files that cannot be read."""

from pathlib import Path

import pytest

from gateway.openapi.document_problems import DocumentProblems
from gateway.openapi.documents import Documents
from gateway.settings import ConfigError


def reported(documents: Documents) -> str:
    with pytest.raises(ConfigError) as caught:
        documents.problems.raise_if_any()
    (problem,) = caught.value.problems
    return problem.text


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("#/a", "this reference leads in a circle"),
        ("missing.yaml#/b", "`{folder}/missing.yaml` cannot be read: No such file or directory"),
        ("#b", "`#b` is not a JSON pointer"),
        ("#/b/0", "`#/b/0` refers to nothing"),
        ("#/none/0", "`#/none/0` refers to nothing"),
        ("https://example.com/a.yaml", "this refers to another server, and nothing is fetched"),
    ],
)
def test_a_reference_that_leads_nowhere_is_reported(tmp_path: Path, reference: str, text: str) -> None:
    documents = Documents(DocumentProblems())
    root = documents.open(str(tmp_path / "a.yaml"), f"a: {{$ref: '{reference}'}}\nb: []\n".encode())
    assert root is not None
    node = root.below("a")
    assert node is not None
    assert documents.follow(node) is None
    assert reported(documents).startswith(text.format(folder=tmp_path))


def test_something_may_be_wrong_with_the_name_of_a_member() -> None:
    documents = Documents(DocumentProblems())
    root = documents.open("a.yaml", b"one: 1\n  \nother: {name: 2}\n")
    assert root is not None
    node = root.below("other", "name")
    assert node is not None
    documents.report_key(node, "a text")
    with pytest.raises(ConfigError, match=r"a\.yaml:3:9: error: other\.name: a text"):
        documents.problems.raise_if_any()


@pytest.mark.parametrize(("content", "text"), [(b"a: \xff", "is not UTF-8"), (b"a: [", "not YAML")])
def test_a_file_that_is_no_text_or_no_yaml_has_no_root(content: bytes, text: str) -> None:
    documents = Documents(DocumentProblems())
    assert documents.open("a.yaml", content) is None
    assert text in reported(documents)
