"""usage/report.py: what callers have of their limits, and which buckets are theirs alone."""

import msgspec

from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.settings import parse
from gateway.table import Caller
from gateway.table.compile import build_credentials, build_routes
from gateway.table.keyring import Visitors
from gateway.usage.report import Account, Accounts
from tests.clocks import ManualClock
from tests.samples import Echo

CONFIGURATION = f"""
version: 1
organizations: [{{id: acme, limits: [{{id: hour, max: 900, per: 1h}}]}}]
plans:
- id: standard
  limits: [{{id: minute, max: 30, per: 1m, guarantee: any-window}}, {{id: try, max: 1, per: 1h, shadow: true}}]
- id: metered
  limits: []
  concurrency: {{key: 4}}
  quotas:
  - {{id: orders, code: 8001, kind: count, max: 9, charge: [{{routes: [plain, dear]}}]}}
  - {{id: live, code: 8005, kind: level, max: 2, scope: organization, charge: [{{routes: [dear], methods: [GET]}}], release: [{{routes: [trial]}}]}}
keys:
- {{id: all, secret_sha256: {"a" * 64}, organizations: [acme]}}
- {{id: reader, secret_sha256: {"b" * 64}, methods: [GET]}}
- {{id: narrow, secret_sha256: {"c" * 64}, routes: [plain]}}
- {{id: metered, secret_sha256: {"d" * 64}, plan: metered, organizations: [acme]}}
- {{id: releasing, secret_sha256: {"e" * 64}, plan: metered, routes: [trial]}}
upstreams: [{{id: orders, targets: [{{url: "http://127.0.0.1:1"}}]}}]
routes:
- {{id: plain, match: {{path: /plain}}, upstream: orders}}
- {{id: open, match: {{path: /open}}, upstream: orders, auth: none, cost: 2}}
- id: dear
  match: {{path: /dear, methods: [GET, DELETE]}}
  upstream: orders
  cost: {{DELETE: 5}}
  limits:
  - {{id: second, max: 9, per: 1s}}
  - {{id: day, max: 50, per: 1d, methods: [DELETE], scope: organization}}
  - {{id: guess, max: 5, per: 7s, shadow: true}}
- {{id: trial, match: {{path: /trial}}, upstream: orders, limits: [{{id: guess, max: 5, per: 7s, shadow: true}}]}}
"""
CONFIG = parse(CONFIGURATION)
ROUTES = {route.id: route for route in build_routes(CONFIG, {"orders": Echo()}, {}).routes}
KEYRING = build_credentials(CONFIG).keyring


class Counting(LocalLimiter):
    """Keeps the claims that it was asked about."""

    def __init__(self) -> None:
        super().__init__(ManualClock().clock)
        self.requested: list[Claim] = []

    async def decide(self, claim: Claim) -> Decision:
        self.requested.append(claim)
        return await super().decide(claim)


def caller(name: str) -> Caller:
    key = KEYRING.named(name)
    assert key is not None
    return key.callers[None]


async def reported(limiter: LocalLimiter, name: str) -> Account:
    one = caller(name)
    return await Accounts(limiter, list(ROUTES.values())).of(one, await limiter.decide(one.peek))


async def test_an_account_reports_of_own_limits_and_of_those_on_routes_and_spends_nothing() -> None:
    limiter = LocalLimiter(ManualClock().clock)
    tariff = ROUTES["dear"].tariff
    assert tariff is not None
    assert (await limiter.decide(tariff.claim(caller("all"), "DELETE"))).allowed
    first = await reported(limiter, "all")
    assert await reported(limiter, "all") == first
    assert (first.key, first.organization, first.plan) == ("all", "acme", "standard")
    assert [
        (each.id, each.name, each.scope, each.used, each.remaining, each.burst, each.max) for each in first.limits
    ] == [
        ("minute", "Minute", "key", 5, 10, 15, 30),
        ("organization/hour", "Hour", "organization", 5, 895, 900, 900),
    ]
    assert (first.limits[0].guarantee, first.limits[0].per_seconds, round(first.limits[0].full_in_seconds)) == (
        "any-window",
        60.0,
        19,
    )
    (dear,) = first.routes
    assert (dear.id, dict(dear.cost)) == ("dear", {"GET": 1, "DELETE": 5, "HEAD": 1})
    assert [(each.id, each.used, each.methods) for each in dear.limits] == [
        ("route/dear/second", 5, ("GET", "DELETE", "HEAD")),
        ("route/dear/day", 5, ("DELETE",)),
    ]


async def test_methods_stand_with_limits_of_routes_only() -> None:
    written = msgspec.json.decode(msgspec.json.encode(await reported(LocalLimiter(ManualClock().clock), "all")))
    assert "methods" not in written["limits"][0]
    assert "methods" in written["routes"][0]["limits"][0]


async def test_of_routes_only_what_the_caller_may_use_is_reported() -> None:
    limiter = Counting()
    assert (await reported(limiter, "narrow")).routes == []
    assert [claim.cost for claim in limiter.requested] == [0]
    (dear,) = (await reported(limiter, "reader")).routes
    assert (dict(dear.cost), [each.id for each in dear.limits]) == ({"GET": 1, "HEAD": 1}, ["route/dear/second"])


async def test_all_routes_are_one_lookup_which_is_known_the_next_time() -> None:
    limiter, one = Counting(), caller("all")
    accounts = Accounts(limiter, list(ROUTES.values()))
    own_decision = await limiter.decide(one.peek)
    for _ in range(2):
        await accounts.of(one, own_decision)
    assert limiter.requested == [one.peek, limiter.requested[1], limiter.requested[1]]


async def test_quotas_and_concurrency_are_reported_and_not_charged() -> None:
    limiter, one = LocalLimiter(ManualClock().clock), caller("metered")
    tariff = ROUTES["dear"].tariff
    assert tariff is not None
    assert (await limiter.decide(tariff.claim(one, "GET"))).allowed
    first = await reported(limiter, "metered")
    assert await reported(limiter, "metered") == first
    assert [(each.id, each.used, each.remaining, each.routes) for each in first.quotas] == [
        ("orders", 1, 8, ("plain", "dear")),
        ("concurrency", 1, 3, ()),
        ("organization/metered/live", 1, 1, ("dear",)),
    ]
    assert [each.id for each in (await reported(limiter, "releasing")).quotas] == ["concurrency"]
    assert (await reported(limiter, "all")).quotas == []


async def test_a_quota_is_found_by_its_id_and_concurrency_is_none() -> None:
    limiter, one = LocalLimiter(ManualClock().clock), caller("metered")
    accounts = Accounts(limiter, list(ROUTES.values()))
    found = [accounts.quota(one, name) for name in ("orders", "organization/metered/live", "concurrency", "nothing")]
    assert found == [
        f"{one.bucket}:count/orders",
        f"{one.organization_bucket}:level/organization/metered/live",
        None,
        None,
    ]


def test_lookups_are_kept_in_bounded_memory() -> None:
    accounts, visitors = Accounts(Counting(), list(ROUTES.values())), Visitors()
    accounts._known.most = 64
    for number in range(80):
        accounts.own_buckets(visitors.find(f"10.0.{number >> 8}.{number & 255}", "p", ()))
    assert len(accounts._known) <= 64


def test_own_buckets_are_those_of_the_key_alone_shadows_too() -> None:
    one = caller("all")
    named = {
        f"{one.bucket}:{name}": name
        for name in ("minute", "try", "route/dear/second", "route/dear/guess", "route/trial/guess")
    }
    assert Accounts(Counting(), list(ROUTES.values())).own_buckets(one) == named
