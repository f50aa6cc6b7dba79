"""Limits and costs: what is accepted, and where what is wrong with them is told."""

import pytest

from gateway.settings import parse
from gateway.settings.schema.limits import cost
from gateway.settings.schema.values import RefusedError
from tests.yaml_files import DIGEST, LEAST, added, complaints

HEAD = f"""version: 1
organizations: [{{id: acme, limits: [{{id: o, max: 40, per: 1m}}]}}]
plans: [{{id: few, limits: [{{id: minute, max: 3, per: 1m}}]}}, {{id: many, limits: [{{id: minute, max: 50, per: 1m}}]}}]
keys: [{{id: a, secret_sha256: {DIGEST}, plan: few, routes: ["cheap"]}}, {{id: b, secret_sha256: {"f" * 64}, plan: many, organizations: [acme], methods: [GET, DELETE]}}]
upstreams: [{{id: u, targets: [{{url: 'http://a'}}]}}]
routes:
- {{id: cheap, match: {{path: /a}}, upstream: u}}
"""


def routes(text: str) -> str:
    return HEAD + f"- {{id: r, match: {{path: /r, methods: [GET, DELETE]}}, upstream: u, {text}}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("organizations: [{id: o, limits: [{id: a, max: 1, per: 1s}, {id: a, max: 2, per: 1m}]}]", "4:65 organizations[0].limits[1].id: `a` is the id of another limit of this organization"),
        ("organizations: [{id: o, limits: [{id: a, max: 1, per: 1s, scope: key}]}]", "4:66 organizations[0].limits[0].scope: `organization` is wanted here"),
        ("plans: [{id: p, limits: [{id: a, max: 1, per: 1s, scope: route}]}]", "4:58 plans[0].limits[0].scope: `key` or `organization` is wanted here"),
        ("plans: [{id: p, limits: [{id: a, max: 1, per: 1s, on_failure: stop}]}]", "4:63 plans[0].limits[0].on_failure: `local`, `allow` or `deny` is wanted here"),
        ("plans: [{id: p, limits: [{id: a, max: 1, per: 1s, on_failure: deny, shadow: true}]}]", "4:26 plans[0].limits[0]: a shadow refuses nothing, without Redis either; leave `on_failure: deny` out"),
        ("plans: [{id: p, limits: [{id: a, max: 1, per: 1s, methods: [GET]}]}]", "4:51 plans[0].limits[0].methods: unknown key; known here: `id`, `max`, `per`, `guarantee`, `shadow`, `on_failure`, `scope`"),
    ],
)  # fmt: skip
def test_limits_of_plans_and_organisations(text: str, message: str) -> None:
    assert added(text) == [message]


PLANS = "plans: [{id: p, limits: [{id: minute, max: 3, per: 1m}, {id: day, max: 9, per: 1d, scope: organization}]}]"


def own(limits: str) -> str:
    return f"{PLANS}\nkeys: [{{id: k, secret_sha256: {DIGEST}, plan: p, limits: {limits}}}]"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("[{id: a, max: 1, per: 1s}, {id: a, max: 2, per: 1h}]", "5:146 keys[0].limits[1].id: `a` is the id of another limit of this key"),
        ("[{id: a, max: 1, per: 1s, scope: organization}]", "5:147 keys[0].limits[0].scope: `key` is wanted here"),
        ("[{id: day, max: 1, per: 1d}]", "5:120 keys[0].limits[0].id: `day` of plan `p` is shared by the keys of an organisation: no key has one in its place; choose another id"),
        ("[{id: a, max: 1, per: 1m}]", "5:136 keys[0].limits[0].per: `minute` of plan `p` has the same `per`; write `id: minute` to have this one in its place"),
        ("[{id: minute, max: 1, per: 1m, shadow: true}]", "5:153 keys[0].limits[0].shadow: in place of `minute` of plan `p` it would leave the key without that limit; choose another id"),
    ],
)  # fmt: skip
def test_limits_of_keys(limits: str, message: str) -> None:
    assert added(own(limits)) == [message]


def test_a_key_has_its_own_limits_in_place_of_those_of_its_plan_and_on_top() -> None:
    limits = "[{id: minute, max: 9, per: 1m}, {id: a, max: 1, per: 1s}, {id: b, max: 2, per: 1m, shadow: true}]"
    config = parse(f"{LEAST}{own(limits)}\n")
    assert [(limit.id, limit.max) for limit in config.limits_of(config.keys[0])] == [
        ("minute", 9),
        ("day", 9),
        ("a", 1),
        ("b", 2),
    ]


def test_a_cost_that_fits_the_plan_but_not_the_keys_own_limit_is_refused_and_the_other_way_round_is_not() -> None:
    text = routes("cost: {DELETE: 5}").replace("plan: many", "plan: many, limits: [{id: minute, max: 4, per: 1m}]")
    assert complaints(text) == [
        "8:82 routes[1].cost.DELETE: a DELETE would cost 5, and `minute` of key `b` never has more than 4"
    ]
    text = (
        routes("cost: {DELETE: 30}")
        .replace("max: 50", "max: 5")
        .replace("plan: many", "plan: many, limits: [{id: minute, max: 30, per: 1m}]")
    )
    assert parse(text).routes[1].cost_of("DELETE") == 30


REDIS = "redis: {{url: 'redis://a', on_failure: {}}}\n"


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("plans: [{id: p, limits: [{id: a, max: 1, per: 1s, on_failure: deny}]}]", set()),
        (REDIS.format("local"), {"local"}),
        (REDIS.format("deny"), {"deny"}),
        (REDIS.format("local") + "plans: [{id: p, limits: [{id: a, max: 1, per: 1s, on_failure: deny}]}]", {"local", "deny"}),
        (REDIS.format("local") + "organizations: [{id: o, limits: [{id: a, max: 1, per: 1s, on_failure: allow}]}]", {"local", "allow"}),
        (REDIS.format("deny") + "plans: [{id: standard, limits: []}, {id: anonymous, limits: [{id: a, max: 1, per: 1s, on_failure: local}]}]", {"local"}),
        (REDIS.format("deny") + "plans: [{id: standard, limits: []}, {id: anonymous, limits: [{id: a, max: 1, per: 1s, shadow: true}]}]", set()),
    ],
)  # fmt: skip
def test_what_limits_do_without_redis(text: str, ways: set[str]) -> None:
    assert parse(LEAST + text + "\n").ways_without_redis() == ways


def test_one_length_may_be_limited_for_the_key_and_for_the_organisation() -> None:
    limits = "[{id: a, max: 1, per: 1m}, {id: b, max: 9, per: 1m, scope: organization}]"
    assert len(parse(LEAST + f"plans: [{{id: p, limits: {limits}}}]\n").plans[0].limits) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limits: [{id: a, max: 1, per: 1s, methods: [GET, POST]}]", "8:116 routes[1].limits[0].methods[1]: `POST` is none of the route's methods"),
        ("limits: [{id: a, max: 1, per: 1s}, {id: a, max: 1, per: 1m}]", "8:107 routes[1].limits[1].id: `a` is the id of another limit of this route"),
        ("limits: [{id: a, max: 1, per: 1s}, {id: b, max: 1, per: 1s}]", "8:123 routes[1].limits[1].per: another limit of this route has the same `per`; keep the tighter one"),
        ("auth: none, limits: [{id: a, max: 1, per: 1s, scope: organization}]", "8:120 routes[1].limits[0].scope: callers of a route with `auth: none` have no organisation"),
        ("cost: {POST: 5}", "8:74 routes[1].cost.POST: `POST` is none of the route's methods"),
        ("cost: {FETCH: 5}", "8:73 routes[1].cost: `FETCH` is not a method that the gateway knows; did you mean `PATCH`?"),
        ("cost: much", "8:73 routes[1].cost: a whole number from 0 to 1000000000, or one by method, is wanted here; write `cost: {DELETE: 5, default: 1}`"),
        ("cost: {DELETE: -1}", "8:73 routes[1].cost: a whole number from 0 to 1000000000, or one by method, is wanted here; write `cost: {DELETE: 5, default: 1}`"),
        ("cost: 51", "8:73 routes[1].cost: a GET would cost 51, and `minute` of plan `many` never has more than 50"),
        ("cost: 41", "8:73 routes[1].cost: a GET would cost 41, and `o` of organization `acme` never has more than 40"),
        ("cost: {DELETE: 41}", "8:82 routes[1].cost.DELETE: a DELETE would cost 41, and `o` of organization `acme` never has more than 40"),
        ("cost: {DELETE: 3}, limits: [{id: a, max: 2, per: 1s, methods: [DELETE]}]", "8:82 routes[1].cost.DELETE: a DELETE would cost 3, and `a` of this route never has more than 2"),
        ("cost: {DELETE: 6}, limits: [{id: a, max: 10, per: 1s, guarantee: any-window}]", "8:82 routes[1].cost.DELETE: a DELETE would cost 6, and `a` of this route never has more than 5"),
        ("cost: {HEAD: 41}", "8:80 routes[1].cost.HEAD: a HEAD would cost 41, and `o` of organization `acme` never has more than 40"),
        ("cost: 301, auth: none", "8:73 routes[1].cost: a GET would cost 301, and `minute` of plan `anonymous` never has more than 300"),
    ],
)  # fmt: skip
def test_limits_and_costs_of_routes(text: str, message: str) -> None:
    assert complaints(routes(text)) == [message]


@pytest.mark.parametrize(
    "text",
    [
        "cost: 40",
        "cost: 0",
        "cost: {DELETE: 5}",
        "cost: {HEAD: 0, default: 4}",
        "cost: {DELETE: 3}, limits: [{id: a, max: 2, per: 1s, methods: [GET]}]",
        "limits: [{id: a, max: 1, per: 1s, methods: [GET]}, {id: b, max: 1, per: 1s, methods: [DELETE]}]",
        "limits: [{id: a, max: 1, per: 1s, methods: [HEAD]}]",
        "cost: 9, limits: [{id: a, max: 10, per: 1s}, {id: b, max: 5, per: 1s, shadow: true}]",
        "auth: none, limits: [{id: a, max: 1, per: 1s, scope: route}]",
    ],
)
def test_what_is_accepted(text: str) -> None:
    parse(routes(text))


def test_a_key_that_has_no_organisation_or_other_methods_is_no_reason_either() -> None:
    text = routes("cost: {DELETE: 5}").replace('routes: ["cheap"]', "methods: [GET]")
    twin = f"keys: [{{id: c, secret_sha256: {'e' * 64}, plan: many, organizations: [acme], methods: [GET, DELETE]}}, "
    assert parse(text.replace("keys: [", twin)).routes[1].cost_of("DELETE") == 5


def test_a_key_that_may_not_call_the_route_is_no_reason_to_refuse_a_cost() -> None:
    """`few` never has more than 3, and its key may use another route only."""
    assert parse(routes("cost: 4")).routes[1].cost_of("GET") == 4


def test_a_cost_is_known_by_method() -> None:
    assert cost(3) == {"default": 3}
    assert cost({"GET": 1, "default": 2}) == {"GET": 1, "default": 2}
    with pytest.raises(RefusedError):
        cost(value=True)
