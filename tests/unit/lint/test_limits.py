"""lint/limits.py: limits that another one always precedes."""

from pathlib import Path

import pytest

from tests.linted import edited, found

PLAN = "[{id: minute, max: 300, per: 1m}, {id: day, max: 100000, per: 1d}]"


@pytest.mark.parametrize(
    ("limits", "useless"),
    [
        ("[{id: a, max: 10, per: 1m}, {id: b, max: 599, per: 1h}]", []),
        ("[{id: a, max: 10, per: 1m}, {id: b, max: 600, per: 1h}]", [1]),
        ("[{id: b, max: 20000, per: 1d}, {id: a, max: 10, per: 1m}]", [0]),
        ("[{id: a, max: 10, per: 1m, shadow: true}, {id: b, max: 601, per: 1h}]", []),
        ("[{id: a, max: 10, per: 1m}, {id: b, max: 601, per: 1h, scope: organization}]", []),
        ("[{id: a, max: 10, per: 1m}, {id: b, max: 700, per: 1h, guarantee: any-window}]", []),
        ("[{id: a, max: 10, per: 1m}, {id: b, max: 1300, per: 1h, guarantee: any-window}]", [1]),
    ],
)
def test_limits_of_a_plan(tmp_path: Path, limits: str, useless: list[int]) -> None:
    expected = [("W010", 5, f"plans[0].limits[{index}].max") for index in useless]
    assert found(tmp_path, edited((PLAN, limits))) == expected


def test_limits_of_the_others(tmp_path: Path) -> None:
    two = "limits: [{id: a, max: 10, per: 2m}, {id: b, max: 601, per: 1h}]"
    text = edited(
        ("{id: acme}", f"{{id: acme, {two}}}"),
        ("{id: k, ", f"{{id: k, {two}, "),
        ("upstream: u}", f"upstream: u, {two}}}"),
    )
    assert [path for _, _, path in found(tmp_path, text)] == [
        "organizations[0].limits[1].max",
        "keys[0].limits[1].max",
        "routes[0].limits[1].max",
    ]
    other_methods = two.replace("per: 2m}", "per: 2m, methods: [GET]}")
    assert found(tmp_path, edited(("upstream: u}", f"upstream: u, {other_methods}}}"))) == []
