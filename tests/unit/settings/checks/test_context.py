"""settings/checks/context.py: what the checks know of a configuration."""

from pathlib import Path

import pytest

from gateway.settings.checks.context import CheckContext
from gateway.settings.document.reader import read
from gateway.settings.positions import SourceFile, Table
from gateway.settings.problem_list import ProblemList
from gateway.settings.problems import ConfigError
from gateway.settings.schema.config import Config

TEXT = """version: 1
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}, {id: u, targets: [{url: "http://127.0.0.1:2"}]}]
routes: [{match: {}}]
"""


def made(text: str = TEXT, *, whole: bool = True) -> tuple[CheckContext, ProblemList]:
    problem_list = ProblemList()
    root = read(SourceFile.of("a.yaml", text, Path()), text, {"V": "x"}, problem_list.add, problem_list.redactor)
    assert isinstance(root, Table)
    config = Config.model_validate({"version": 1, "upstreams": root.get("upstreams", [])})
    return CheckContext(config, root, {}, problem_list, whole=whole), problem_list


def test_entries_come_with_their_paths_and_ids_with_all_that_have_them() -> None:
    context, _ = made()
    assert [loc for loc, _ in context.entries("upstreams", context.config.upstreams)] == [
        ("upstreams", 0),
        ("upstreams", 1),
    ]
    assert context.ids("upstreams") == {"u": [("upstreams", 0, "id"), ("upstreams", 1, "id")]}
    assert context.ids("upstreams") is context.ids("upstreams")
    assert list(context.entries("plans", context.config.plans)) == []


def test_an_entry_without_an_id_leaves_the_ids_unknown() -> None:
    context, _ = made()
    assert context.knows_all("upstreams")
    assert context.knows_all("plans")
    assert not context.knows_all("routes")
    assert not made(whole=False)[0].knows_all("upstreams")


def test_positions_and_raw_values() -> None:
    context, _ = made()
    assert context.raw("routes", 0, "match") == {}
    assert context.raw("nobody") is None
    assert context.position(("routes",)).line == 3
    assert context.where(("routes",), ("upstreams",)) == "line 3"


def test_problems_stand_at_the_value_or_at_its_key() -> None:
    context, problem_list = made(TEXT + 'observability: {log: {level: "${V}"}}\n')
    context.report(("routes",), "wrong")
    context.report(("routes",), "unknown", at_key=True)
    context.report(("observability", "log", "level"), "`x` is none")
    context.warn("W006", ("routes",), "doubtful")
    with pytest.raises(ConfigError) as raised:
        problem_list.raise_if_any()
    assert [str(problem) for problem in raised.value.problems] == [
        "a.yaml:3:1: error: routes: unknown",
        "a.yaml:3:9: error: routes: wrong",
        "a.yaml:4:30: error: observability.log.level: `…` is none",
    ]
    assert [problem.text for problem in problem_list.warnings()] == ["doubtful"]
