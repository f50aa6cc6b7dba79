"""Files and the references between them."""

from pathlib import Path

import pytest

from gateway.openapi.document_problems import DocumentProblems
from gateway.openapi.documents import LARGEST_FILE_BYTES, Documents, Node
from gateway.settings import ConfigError


def opened(tmp_path: Path, text: str) -> tuple[Documents, Node]:
    (tmp_path / "a.yaml").write_text(text)
    documents = Documents(DocumentProblems())
    root = documents.open(str(tmp_path / "a.yaml"))
    assert root is not None
    return documents, root


def test_nodes(tmp_path: Path) -> None:
    _, root = opened(tmp_path, "a: {b: [x, {c: true}]}\nt: text")
    found = root.below("a", "b", 1)
    assert found is not None
    assert (found.way, found.position.line, found.position.column) == (("a", "b", 1), 1, 12)
    assert found.flag("c")
    assert not found.flag("d")
    assert root.text("t") == "text"
    assert root.text("a") == root.text("none") == found.text("c") == ""
    assert root.below("a", "x") is None
    assert root.below("a", "b", 2) is None
    assert root.items() == []
    (_, nodes) = root.entries()[0]
    assert [each.value for each in nodes.below("b").items()] == ["x", {"c": True}]  # type: ignore[union-attr]
    assert found.items() == []
    assert nodes.below("b").entries() == []  # type: ignore[union-attr]


def test_references(tmp_path: Path) -> None:
    documents, root = opened(
        tmp_path, 'a: {$ref: "b.yaml#/x~1y%20z/0"}\nself: {$ref: "#/plain"}\nplain: 1\nbroken: {$ref: "//host/x"}'
    )
    (tmp_path / "b.yaml").write_text('"x/y z": [{$ref: "a.yaml#/plain"}]')
    for name, expected in (("a", 1), ("self", 1), ("plain", 1)):
        node = root.below(name)
        assert node is not None
        found = documents.follow(node)
        assert found is not None
        assert found.value == expected
    broken = root.below("broken")
    assert broken is not None
    assert documents.follow(broken) is None
    assert documents.open(str(tmp_path / "a.yaml")) is root


def test_a_file_is_read_once_even_if_it_cannot_be(tmp_path: Path) -> None:
    documents = Documents(DocumentProblems())
    assert documents.open("a\0b") is None
    assert documents.open("a\0b") is None
    assert documents.open(str(tmp_path / "none")) is None


def test_warnings(tmp_path: Path) -> None:
    documents, root = opened(tmp_path, "a: 1")
    documents.warn(root, "a text")
    documents.problems.raise_if_any()
    assert [each.text for each in documents.problems.warnings()] == ["a text"]


def test_files_that_are_too_large(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1)
    documents = Documents(DocumentProblems())
    assert documents.open(str(tmp_path / "a.yaml")) is None
    with pytest.raises(ConfigError, match="is larger than 64 MiB"):
        documents.problems.raise_if_any()
