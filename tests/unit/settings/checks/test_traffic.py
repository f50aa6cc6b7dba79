"""settings/checks/traffic.py: policies of upstreams that contradict the rest of them."""

import pytest

from gateway.settings import ConfigError, parse
from tests.yaml_files import complaints


def upstream(text: str) -> list[str]:
    return complaints(
        f"version: 1\nupstreams:\n- {{id: u, targets: [{{url: 'http://a'}}], {text}}}\n"
        "routes: [{id: r, match: {prefix: /}, upstream: u}]\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "retry: {per_try: 31s}",
            "3:58 upstreams[0].retry.per_try: of no use: it is longer than `timeouts.total`",
        ),
        ("hedge: {}", "3:48 upstreams[0].hedge: of no use: there is no second target"),
    ],
)
def test_upstreams_are_consistent(text: str, message: str) -> None:
    assert upstream(text) == [message]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("split: [{upstream: u}, {upstream: v}]", []),
        (
            "split: [{upstream: w}, {upstream: x}]",
            [
                "3:57 routes[0].split[0].upstream: there is no upstream `w`; declare it under `upstreams`",
                "3:72 routes[0].split[1].upstream: there is no upstream `x`; declare it under `upstreams`",
            ],
        ),
        ("split: [{upstream: u}, {upstream: u}]", ["3:72 routes[0].split[1].upstream: `u` stands here twice"]),
        ("split: [{upstream: u, weight: 0}]", ["3:45 routes[0].split: no upstream has a `weight` of more than 0"]),
        ("upstream: u, split: [{upstream: v}]", ["3:10 routes[0]: `split` is used in place of `upstream`"]),
        ("upstream: u, mirror: {upstream: u}", ["3:70 routes[0].mirror.upstream: copies would go where the calls go"]),
        (
            "upstream: u, retry: {per_try: 3s}, timeouts: {total: 2s}",
            ["3:68 routes[0].retry.per_try: of no use: it is longer than `timeouts.total`"],
        ),
        (
            "upstream: w, retry: {per_try: 99s}",
            ["3:48 routes[0].upstream: there is no upstream `w`; declare it under `upstreams`"],
        ),
        (
            "upstream: u, mirror: {upstream: x}",
            ["3:70 routes[0].mirror.upstream: there is no upstream `x`; declare it under `upstreams`"],
        ),
    ],
)
def test_upstreams_of_a_route(text: str, messages: list[str]) -> None:
    assert (
        complaints_or_none(
            "version: 1\nupstreams: [{id: u, targets: [{url: 'http://a'}]}, {id: v, targets: [{url: 'http://b'}]}]\n"
            f"routes: [{{id: r, match: {{prefix: /}}, {text}}}]\n"
        )
        == messages
    )


def complaints_or_none(text: str) -> list[str]:
    try:
        parse(text)
    except ConfigError:
        return complaints(text)
    return []


def test_every_route_has_the_parameter_that_keeps_calls_together() -> None:
    text = (
        "version: 1\nupstreams:\n"
        "- {id: u, targets: [{url: 'http://a'}], load_balancing: {consistent_hash: {on: path_parameter, name: id}}}\n"
        "routes:\n- {id: one, match: {path: '/v1/{id}'}, upstream: u}\n"
        "- {id: rest, match: {path: '/v2/{id*}'}, upstream: u}\n"
        "- {id: other, match: {prefix: /v3}, upstream: u}\n"
    )
    assert complaints(text) == [
        "7:47 routes[2].upstream: `u` keeps calls together by `{id}`, which is not in `match.path`"
    ]


def test_a_second_attempt_is_one_of_those_that_retry_allows() -> None:
    text = (
        "version: 1\nupstreams:\n- id: u\n  targets: [{url: 'http://a'}, {url: 'http://b'}]\n  hedge: {after: p90}\n"
        "  retry: {attempts: 1}\nroutes: [{id: r, match: {prefix: /}, upstream: u}]\n"
    )
    assert complaints(text) == ["5:10 upstreams[0].hedge: of no use: `retry` allows one attempt only"]
    assert complaints_or_none(text.replace("attempts: 1", "attempts: 2")) == []
