"""table/steering.py: what is to be decided about the calls of a route."""

import pytest

from gateway.settings import parse
from gateway.table.steering import Affinity, Steering, steering_of


def steering(match: str = "{prefix: /v1}", more: str = "") -> Steering | None:
    config = parse(
        "version: 1\n"
        f'upstreams: [{{id: u, targets: [{{url: "http://a"}}, {{url: "http://b"}}]{more}}}]\n'
        "plans: [{id: gold, limits: [], priority: 5}]\n"
        f"routes: [{{id: r, match: {match}, upstream: u}}]\n"
    )
    return steering_of(config, config.routes[0])


def test_nothing_is_the_rule() -> None:
    assert steering() is None
    assert steering(more=", load_balancing: round_robin") is None


@pytest.mark.parametrize(
    ("on", "match", "affinity"),
    [
        ("{on: key}", "{prefix: /v1}", Affinity("key")),
        ("{on: organization}", "{prefix: /v1}", Affinity("organization")),
        ("{on: header, name: X-Session}", "{prefix: /v1}", Affinity("header", "X-Session")),
        ("{on: path_parameter, name: id}", "{path: '/v1/{id}/x'}", Affinity("path_parameter", segment=1)),
        ("{on: path_parameter, name: id}", "{path: '/v1/{id*}'}", Affinity("path_parameter", segment=1, rest=True)),
    ],
)
def test_what_keeps_calls_together(on: str, match: str, affinity: Affinity) -> None:
    made = steering(match, f", load_balancing: {{consistent_hash: {on}}}")
    assert made == Steering(affinity)


def test_priorities_matter_where_calls_wait_for_one_another() -> None:
    made = steering(more=", adaptive_concurrency: {}")
    assert made is not None
    assert made.priorities == {"gold": 5, "standard": 0, "anonymous": 0}


def test_a_path_without_the_parameter_is_kept_together_by_caller() -> None:
    """The rule may be that of the second upstream."""
    config = parse(
        "version: 1\nupstreams:\n- {id: v1, targets: [{url: 'http://a'}]}\n"
        "- {id: v2, targets: [{url: 'http://b'}], load_balancing: {consistent_hash: {on: path_parameter, name: id}}}\n"
        "routes: [{id: r, match: {prefix: /}, split: [{upstream: v1}, {upstream: v2}]}]\n"
    )
    assert steering_of(config, config.routes[0]) == Steering(Affinity("key"))
