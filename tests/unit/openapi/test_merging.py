"""What somebody has changed in imported routes stays."""

from typing import Any

import pytest

from gateway.openapi.merging import merge
from gateway.settings import ConfigError, parse


def route(identity: str, path: str = "/a", **more: Any) -> dict[str, Any]:
    return {"id": identity, "match": {"path": path}, "upstream": "u", **more}


FIRST = merge("r.yaml", "", [route("a", "/a"), route("b", "/b", auth="none")])


def test_a_new_file_is_a_configuration() -> None:
    assert FIRST.added == ["a", "b"]
    upstreams = '[{id: u, targets: [{url: "http://127.0.0.1:9"}]}]'
    assert [each.id for each in parse(f"version: 1\nupstreams: {upstreams}\n{FIRST.text}").routes] == ["a", "b"]


def test_nothing_changes_twice() -> None:
    again = merge("r.yaml", FIRST.text, [route("a", "/a"), route("b", "/b", auth="none")])
    assert again == (FIRST.text, [], [], [], [])


def test_fields_that_nobody_touched_follow_the_document() -> None:
    merged = merge("r.yaml", FIRST.text, [route("a", "/new", auth="none"), route("b", "/b")])
    assert merged.changed == ["a", "b"]
    assert "path: /new" in merged.text
    assert merged.text.count("auth: none") == 1
    assert merge("r.yaml", merged.text, [route("a", "/new", auth="none"), route("b", "/b")]).text == merged.text


def test_what_somebody_has_changed_stays() -> None:
    text = (
        FIRST.text.replace("path: /a", "path: /mine")
        .replace("    auth: none\n", "")
        .replace("  - id: b", "# b\n  - id: b")
    )
    text = text.replace("x-imported", "defaults: {}\nx-imported")
    merged = merge("r.yaml", text, [route("a", "/new", auth="none"), route("b", "/b", auth="none"), route("c", "/c")])
    assert "path: /mine" in merged.text
    assert (merged.added, merged.changed) == (["c"], ["a"])
    assert set(merged.kept) == {"a.match", "b.auth"}
    assert merged.text.count("auth: none") == 1
    assert "# b\n  - id: b\n" in merged.text
    assert merged.text.index("- id: c") < merged.text.index("defaults: {}")
    again = merge(
        "r.yaml", merged.text, [route("a", "/new", auth="none"), route("b", "/b", auth="none"), route("c", "/c")]
    )
    assert again.text == merged.text


def test_what_has_vanished_is_named_and_stays() -> None:
    merged = merge("r.yaml", FIRST.text + "other: 1\n", [route("a", "/a")])
    assert merged.vanished == ["b"]
    assert "- id: b" in merged.text
    assert "other: 1" in merged.text
    assert merge("r.yaml", merged.text, [route("a", "/a")]).vanished == ["b"]


def test_routes_of_somebody_else_are_left_alone() -> None:
    merged = merge("r.yaml", "routes:\n- id: mine\n  upstream: u\n", [route("a")])
    assert merged.text.startswith("routes:\n- id: mine\n  upstream: u\n- id: a\n")
    assert merged.vanished == []
    again = merge("r.yaml", merged.text, [route("a")])
    assert again.text == merged.text


@pytest.mark.parametrize(
    "text", ["[", "routes: 3", "routes: [{upstream: u}]", "routes: [{id: a}, {id: b}]", "- a", "routes: {a: 1}"]
)
def test_files_that_cannot_be_merged_into(text: str) -> None:
    with pytest.raises(ConfigError):
        merge("r.yaml", text, [route("a")])
