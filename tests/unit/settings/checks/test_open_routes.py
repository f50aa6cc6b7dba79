"""settings/checks/open_routes.py: routes without a key around routes with one."""

from pathlib import Path

import pytest

from gateway.settings import load_with_warnings


def warnings(folder: Path, *routes: str) -> list[str]:
    file = folder / "gateway.yaml"
    file.write_text(
        'version: 1\nupstreams: [{id: u, targets: [{url: "http://h"}]}]\nroutes:\n'
        + "".join([f"- {{{each}, upstream: u}}\n" for each in routes])
    )
    return [f"{each.line}:{each.column} {each.path}: {each.text}" for each in load_with_warnings(file)[1]]


OPEN = "id: open, auth: none, match: {prefix: /}"


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("{prefix: /}", "{path: /v1}"),
        ("{prefix: /}", "{prefix: /v1}"),
        ('{path: "/{rest*}"}', '{path: "/{id}"}'),
        ("{prefix: /v1}", "{path: /v1}"),
        ('{path: "/v1/{id}/{rest*}"}', "{path: /v1/a/b}"),
        ('{path: "/{a}/{rest*}"}', '{path: "/{b}/c"}'),
        ("{prefix: /v1}", "{path: /v1/a, methods: [GET]}"),
    ],
)
def test_the_outer_one_is_warned_of(tmp_path: Path, outer: str, inner: str) -> None:
    found = warnings(tmp_path, f"id: open, auth: none, match: {outer}", f"id: inner, match: {inner}")
    assert found == ["4:20 routes[0].auth: no key is asked for around routes that ask for one: `inner`"]


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("{path: /}", "{prefix: /v1}"),
        ("{prefix: /a}", "{path: /v1}"),
        ("{prefix: /v1/a}", "{prefix: /v1}"),
        ("{prefix: /v1, methods: [GET]}", "{prefix: /v1, methods: [POST]}"),
        ('{path: "/v1/a/{rest*}"}', '{path: "/v1/{id}/b"}'),
        ("{prefix: /v1/a}", '{path: "/v1/{rest*}"}'),
    ],
)
def test_others_are_not(tmp_path: Path, outer: str, inner: str) -> None:
    assert warnings(tmp_path, f"id: open, auth: none, match: {outer}", f"id: inner, match: {inner}") == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("match: {prefix: /}", "match: {prefix: /v1}, rewrite: {strip_prefix: /v1}", True),
        ("match: {prefix: /public}, rewrite: {strip_prefix: /public}", "match: {prefix: /}", True),
        (
            "match: {path: /ping}, rewrite: {strip_prefix: /ping, add_prefix: /a}",
            "match: {path: /b/a}, rewrite: {strip_prefix: /b}",
            True,
        ),
        (
            "match: {prefix: /public}, rewrite: {strip_prefix: /public, add_prefix: /public}",
            "match: {prefix: /}",
            False,
        ),
        ("match: {prefix: /a, methods: [GET]}", "match: {prefix: /a, methods: [POST]}", False),
    ],
)
def test_a_way_to_the_same_paths_of_a_service_is_warned_of(
    tmp_path: Path, one: str, other: str, *, expected: bool
) -> None:
    found = warnings(tmp_path, f"id: open, auth: none, {one}", f"id: keyed, {other}")
    text = "no key is asked for on a way to the same paths of `u` as by route `keyed`, which asks for one"
    assert (f"4:20 routes[0].auth: {text}" in found) == expected


def test_a_few_are_named_and_the_others_counted(tmp_path: Path) -> None:
    (found,) = warnings(tmp_path, OPEN, *(f"id: r{number}, match: {{path: /{number}}}" for number in range(5)))
    assert found.endswith("one: `r0`, `r1`, `r2` and 2 more")


def test_the_shipped_examples_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (Path(__file__).parents[3] / "config").glob("*.yaml"):
        environ = {"UPSTREAM_URL": "http://h", "PARTNER_KEY_SHA256": "a" * 64, "SERVICE_URL": "http://h"}
        assert load_with_warnings(file, environ)[1] == ()
