"""settings/problem_list.py: problems in the order of their files, without values from outside."""

from pathlib import Path

import pytest

from gateway.settings.positions import Position, SourceFile
from gateway.settings.problem_list import ProblemList
from gateway.settings.problems import ConfigError

FIRST, SECOND = (SourceFile.of(name, "version: 1\nserver: x\n", Path()) for name in ("a.yaml", "b.yaml"))


def errors(problem_list: ProblemList) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        problem_list.raise_if_any()
    return [str(problem) for problem in raised.value.problems]


def test_problems_come_in_the_order_in_which_their_files_were_opened_and_once() -> None:
    problem_list = ProblemList()
    problem_list.open(FIRST)
    problem_list.add(Position(SECOND, 1, 1), ("server",), "late")
    problem_list.add(Position(FIRST, 2, 9), ("server",), "second")
    problem_list.add(Position(FIRST, 1, 1), (), "first")
    problem_list.add(Position(FIRST, 1, 1), (), "first")
    assert errors(problem_list) == [
        "a.yaml:1:1: error: first",
        "a.yaml:2:9: error: server: second",
        "b.yaml:1:1: error: server: late",
    ]


def test_warnings_end_nothing() -> None:
    problem_list = ProblemList()
    problem_list.add(Position(FIRST, 1, 1), (), "doubtful", severity="warning")
    problem_list.raise_if_any()
    assert [problem.text for problem in problem_list.warnings()] == ["doubtful"]


def test_values_from_outside_are_not_repeated() -> None:
    problem_list = ProblemList()
    problem_list.redactor("hidden")
    problem_list.add(Position(FIRST, 2, 9), ("server",), "`hidden` and `so-hidden-too` and `shown`", "write `hidden`")
    problem_list.add(Position(FIRST, 2, 9), ("server",), "`part` is none", "a hint", redacted="some part")
    problem_list.add(Position(FIRST, 0, 0), ("server",), "a line\nwith a break")
    assert errors(problem_list) == [
        "a.yaml: error: server: a line\ufffdwith a break",
        "a.yaml:2:9: error: server: `…` and `…` and `shown`; write `…`",
        "a.yaml:2:9: error: server: `…` is none",
    ]


def test_a_hidden_step_of_the_path_is_repeated_in_no_sentence() -> None:
    problem_list = ProblemList()
    problem_list.add(Position(FIRST, 2, 9), ("server", "gw_0123456789abcdef"), "`gw_0123456789abcdef` is unknown")
    assert errors(problem_list) == ["a.yaml:2:9: error: server.***: `…` is unknown"]


def test_a_comment_accepts_a_warning() -> None:
    source = SourceFile.of("a.yaml", "version: 1  # check: ignore W001\nname: x\n", Path())
    problem_list = ProblemList()
    for line in (1, 2):
        problem_list.add(Position(source, line, 1), (), "doubtful", severity="warning", rule="W001")
    assert [warning.line for warning in problem_list.warnings()] == [2]
