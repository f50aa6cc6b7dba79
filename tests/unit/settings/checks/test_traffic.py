"""settings/checks/traffic.py: policies of upstreams that contradict the rest of them."""

import pytest

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
    ],
)
def test_upstreams_are_consistent(text: str, message: str) -> None:
    assert upstream(text) == [message]


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
