"""lint/routes.py: patterns of other gateways, and time-outs that are never reached."""

from pathlib import Path

import pytest

from tests.linted import edited, found


@pytest.mark.parametrize("segment", [":id", "<id>", "<int:id>", "(a|b)", "[0-9]+", "[a-z]", "^a", "a$", ".+"])
def test_patterns_of_other_gateways(tmp_path: Path, segment: str) -> None:
    for text in (edited(("/a/{id}", f"/a/{segment}")), edited(('path: "/a/{id}"', f'prefix: "/a/{segment}"'))):
        assert [rule for rule, _, _ in found(tmp_path, text)] == ["W006"]


@pytest.mark.parametrize("segment", ["a:b", "v1.2", "a-b", "{id}", "$count", "a(b", "urn:x:"])
def test_ordinary_segments(tmp_path: Path, segment: str) -> None:
    assert found(tmp_path, edited(("/a/{id}", f"/a/{segment}"))) == []


@pytest.mark.parametrize(
    ("timeouts", "path"),
    [
        ("{first_byte: 15s}", "routes[0].timeouts.first_byte"),
        ("{total: 4s}", "routes[0].timeouts.total"),
        ("{first_byte: 15s, total: 20s}", None),
        ("{connect: 1s}", None),
    ],
)
def test_time_outs_of_a_route(tmp_path: Path, timeouts: str, path: str | None) -> None:
    text = edited(("upstream: u}", f"upstream: u, timeouts: {timeouts}}}"))
    assert found(tmp_path, text) == ([("W007", 11, path)] if path else [])


def test_time_outs_of_an_upstream(tmp_path: Path) -> None:
    assert found(tmp_path, edited(("first_byte: 5s", "first_byte: 11s"))) == [
        ("W007", 9, "upstreams[0].timeouts.first_byte")
    ]
