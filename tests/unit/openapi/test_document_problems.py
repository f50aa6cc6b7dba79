"""How problems of documents are shown."""

from pathlib import Path

import pytest

from gateway.openapi.document_problems import DocumentProblems
from gateway.settings import ConfigError
from gateway.settings.positions import Position, SourceFile


def test_a_problem_is_shown_with_its_line() -> None:
    problems = DocumentProblems()
    source = SourceFile.of("d.yaml", "password: hunter22\n" + "a" * 300, Path())
    problems.add(Position(source, 1, 11), ("password",), "a \x1b text", "do `this`")
    problems.add(Position(source, 2, 1), (), "a long line")
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    first, second = caught.value.problems
    assert str(first) == "d.yaml:1:11: error: password: a \ufffd text; do `this`"
    assert first.source_line == "password: hunter22"
    assert second.source_line == ""
