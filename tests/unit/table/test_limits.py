"""table/limits.py: whose buckets a call is charged to, under which tag, and how much."""

import re

from gateway.kernel.limits.token_bucket import Claim
from gateway.settings import Config, parse
from gateway.settings.checks.stored_keys import read_key
from gateway.table import Caller, Route
from gateway.table.compile import build_routes
from gateway.table.keyring import Visitors
from gateway.table.keys import KeyMaker
from tests.samples import Echo

CONFIGURATION = """
version: 1
organizations:
- {id: acme, limits: [{id: minute, max: 500, per: 1m}]}
- {id: initech}
- {id: umbrella}
plans:
- {id: standard, limits: [{id: minute, max: 300, per: 1m}]}
- {id: team, limits: [{id: day, max: 50, per: 1d, scope: organization}]}
keys:
- {id: a1, secret_sha256: DIGEST_a, organizations: [acme]}
- {id: a2, secret_sha256: DIGEST_b, organizations: [acme, initech], plan: team}
- {id: u, secret_sha256: DIGEST_c, organizations: [umbrella], plan: team}
- {id: lone, secret_sha256: DIGEST_d, plan: team}
upstreams: [{id: orders, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
- {id: plain, match: {path: /plain}, upstream: orders}
- {id: dear, match: {path: /dear, methods: [GET, POST, DELETE]}, upstream: orders, cost: {DELETE: 5, default: 2}}
- {id: kept, match: {path: /kept}, upstream: orders, cache: {cost: 3}, limits: [{id: minute, max: 10, per: 1m}]}
- {id: kept.plain, match: {path: /kept/plain}, upstream: orders, cache: {}}
- id: narrow
  match: {path: /narrow, methods: [GET, POST]}
  upstream: orders
  cost: {GET: 0}
  limits:
  - {id: minute, max: 10, per: 1m}
  - {id: posts, max: 3, per: 30d, methods: [POST], scope: organization}
"""
for letter in "abcd":
    CONFIGURATION = CONFIGURATION.replace(f"DIGEST_{letter}", letter * 64)
FOR_ALL = (
    "  - {id: all, max: 9, per: 1h, scope: route}\n- {id: open, match: {path: /open}, upstream: orders, auth: none}\n"
)


class Deployment:
    def __init__(self, config: Config) -> None:
        self.routes = {route.id: route for route in build_routes(config, {"orders": Echo()}, {}).routes}
        maker = KeyMaker(config)
        self.callers = {key.id: maker.make(key).callers for key in config.keys}

    def caller(self, key: str, organization: str | None = None) -> Caller:
        return self.callers[key][organization]


DEPLOYMENT = Deployment(parse(CONFIGURATION))


def claim(route: Route, caller: Caller, method: str = "GET") -> Claim:
    return caller.claim if route.tariff is None else route.tariff.claim(caller, method)


def tags(*claims: Claim) -> set[str]:
    return {match[1] for made in claims for key in made.keys if (match := re.match(r"\{([^{}]+)\}", key))}


def test_a_key_meets_the_limits_of_its_plan_and_its_organisation() -> None:
    caller = DEPLOYMENT.caller("a1")
    assert [window.id for window in caller.claim.windows] == ["minute", "organization/minute"]
    assert [window.owner for window in caller.claim.windows] == ["key", "organization"]
    assert caller.claim.keys == (f"{caller.bucket}:minute", f"{caller.organization_bucket}:organization/minute")
    assert (caller.peek.keys, caller.peek.windows, caller.peek.cost) == (caller.claim.keys, caller.claim.windows, 0)


def test_keys_of_an_organisation_share_its_buckets_and_not_their_own() -> None:
    one, other = DEPLOYMENT.caller("a1"), DEPLOYMENT.caller("a2")
    assert (
        one.organization_bucket == other.organization_bucket != DEPLOYMENT.caller("a2", "initech").organization_bucket
    )
    assert one.bucket != other.bucket == DEPLOYMENT.caller("a2", "initech").bucket
    assert [window.id for window in other.claim.windows] == ["organization/team/day", "organization/minute"]


def test_a_keys_own_limit_comes_in_place_of_its_plans_in_the_same_bucket_and_others_after_it() -> None:
    own = "limits: [{id: minute, max: 7, per: 1m}, {id: second, max: 6, per: 1s}]"
    caller = Deployment(
        parse(CONFIGURATION.replace("organizations: [acme]}", f"organizations: [acme], {own}}}"))
    ).caller("a1")
    assert [(window.id, window.max) for window in caller.claim.windows] == [
        ("minute", 7),
        ("second", 6),
        ("organization/minute", 500),
    ]
    assert caller.claim.keys[0] == DEPLOYMENT.caller("a1").claim.keys[0]
    assert (
        "RateLimit-Policy",
        '"minute";q=7;w=60, "second";q=6;w=1, "organization/minute";q=500;w=60',
    ) in caller.claim.fields
    assert caller.peek.windows == caller.claim.windows


def test_a_key_without_organisation_is_its_own() -> None:
    caller = DEPLOYMENT.caller("lone")
    assert caller.claim.keys == (f"{caller.bucket}:organization/team/day",)


def test_no_claim_needs_two_tags_and_strangers_have_different_ones() -> None:
    callers = {
        name: [DEPLOYMENT.caller(name, organization) for organization in known]
        for name, known in DEPLOYMENT.callers.items()
    }
    made = {
        name: tags(
            *[
                claim(route, caller, method)
                for caller in known
                for route in DEPLOYMENT.routes.values()
                for method in route.methods
            ]
        )
        for name, known in callers.items()
    }
    assert all(len(found) == 1 for found in made.values())
    assert made["a1"] == made["a2"]
    assert len(set().union(*made.values())) == 3


def test_organisations_that_hang_together_through_others_have_one_tag() -> None:
    keys = "".join(
        f"- {{id: k{n}, secret_sha256: {'abcd'[n] * 64}, organizations: {found}}}\n"
        for n, found in enumerate(("[c, d]", "[b, c]", "[a, b]", "[e]"))
    )
    organizations = "[{id: a}, {id: b}, {id: c}, {id: d}, {id: e}]"
    text = re.sub(r"organizations:\n(- .*\n)+", f"organizations: {organizations}\n", CONFIGURATION)
    deployment = Deployment(parse(re.sub(r"keys:\n(- .*\n)+", f"keys:\n{keys}", text)))
    found = [tags(*[caller.claim for caller in deployment.callers[f"k{n}"].values()]) for n in range(4)]
    assert found[0] == found[1] == found[2] != found[3]


def test_what_is_shared_by_all_callers_puts_them_under_one_tag() -> None:
    deployment = Deployment(parse(CONFIGURATION + FOR_ALL))
    open_route = deployment.routes["open"]
    visitor = Visitors().find("192.0.2.1", open_route.open_plan, open_route.open_windows, open_route.open_tag)
    assert tags(
        visitor.claim, *(claim(deployment.routes["narrow"], deployment.caller(name)) for name in deployment.callers)
    ) == {"all"}
    shared = {claim(deployment.routes["narrow"], deployment.caller(name)).keys[-1] for name in deployment.callers}
    assert shared == {"{all}:route/narrow/all"}
    assert len({deployment.caller(name).bucket for name in deployment.callers}) == 4


def test_keys_in_redis_are_each_by_themselves_unless_organisations_have_limits_or_quotas() -> None:
    stored = "redis: {url: 'redis://a'}\nkeys: {store: redis}\n"
    text = re.sub(r"keys:\n(- .*\n)+", stored, CONFIGURATION)
    alone = re.sub(r", limits: \[\{id: minute, max: 500.*?\]|, scope: organization", "", text)
    keys = [read_key({"id": name, "organizations": [name]}) for name in ("acme", "initech")]
    quota = "], quotas: [{id: q, code: 8001, kind: count, max: 1, scope: organization, charge: [{routes: [plain]}]}]}\nredis"
    cases = (
        (text, True),
        (alone, False),
        (alone.replace("per: 1d}", "per: 1d, scope: organization}"), True),
        (alone.replace("]}\nredis", quota), True),
        (alone.replace("]}\nredis", "], concurrency: {key: 1}}\nredis"), False),
        (alone.replace("]}\nredis", "], concurrency: {organization: 1}}\nredis"), True),
        (alone.replace("{id: umbrella}", "{id: umbrella, concurrency: 1}"), True),
    )
    for case, shared in cases:
        maker = KeyMaker(parse(case))
        made = [maker.make(key).callers[None].claim for key in keys]
        assert (tags(*made) == {"all"}) is shared
        assert len({claimed.keys[0] for claimed in made}) == 2


def test_a_route_without_a_tariff_claims_what_the_caller_has() -> None:
    assert DEPLOYMENT.routes["plain"].tariff is None


def test_costs_go_by_method_and_head_costs_what_get_does() -> None:
    caller = DEPLOYMENT.caller("a1")
    assert [claim(DEPLOYMENT.routes["dear"], caller, method).cost for method in ("GET", "HEAD", "POST", "DELETE")] == [
        2,
        2,
        2,
        5,
    ]
    assert [claim(DEPLOYMENT.routes["narrow"], caller, method).cost for method in ("GET", "HEAD", "POST")] == [0, 0, 1]


def test_a_reply_from_memory_has_a_cost_of_its_own_where_the_cache_says_so() -> None:
    caller = DEPLOYMENT.caller("a1")
    kept, plain = (DEPLOYMENT.routes[name].caching for name in ("kept", "kept.plain"))
    assert kept is not None
    assert kept.hit_tariff is not None
    assert plain is not None
    assert plain.hit_tariff is None
    costs = [kept.hit_tariff.claim(caller, method).cost for method in ("GET", "HEAD")]
    assert (costs, claim(DEPLOYMENT.routes["kept"], caller).cost) == ([3, 3], 1)
    assert kept.hit_tariff.claim(caller, "GET").keys == claim(DEPLOYMENT.routes["kept"], caller).keys


def test_limits_of_a_route_come_on_top_and_hold_for_their_methods() -> None:
    caller = DEPLOYMENT.caller("a1")
    get, head, post = (claim(DEPLOYMENT.routes["narrow"], caller, method) for method in ("GET", "HEAD", "POST"))
    assert [window.id for window in get.windows] == ["minute", "organization/minute", "route/narrow/minute"]
    assert head.windows == get.windows
    assert [window.id for window in post.windows] == [*(window.id for window in get.windows), "route/narrow/posts"]
    assert post.keys[2:] == (f"{caller.bucket}:route/narrow/minute", f"{caller.organization_bucket}:route/narrow/posts")
    assert [window.name for window in post.windows] == ["Minute", "Minute", "Minute", "Month"]


def test_a_claim_is_made_once_and_the_memory_for_them_is_bounded() -> None:
    tariff = DEPLOYMENT.routes["narrow"].tariff
    assert tariff is not None
    visitors, caller = Visitors(), DEPLOYMENT.caller("a1")
    assert tariff.claim(caller, "GET") is tariff.claim(caller, "GET")
    tariff._known.most = 64
    for number in range(80):
        tariff.claim(visitors.find(f"10.0.{number >> 8}.{number & 255}", "p", ()), "GET")
    assert len(tariff._known) <= 64


def test_shadows_come_last_and_replies_do_not_show_them() -> None:
    text = CONFIGURATION.replace(
        "{id: minute, max: 300, per: 1m}", "{id: soon, max: 3, per: 1m, shadow: true}, {id: day, max: 300, per: 1d}"
    )
    deployment = Deployment(parse(text))
    for made in (deployment.caller("a1").claim, claim(deployment.routes["narrow"], deployment.caller("a1"))):
        assert made.windows[-1].id == "soon"
        assert made.keys[-1] == f"{deployment.caller('a1').bucket}:soon"
        assert "soon" not in str(made.fields)
