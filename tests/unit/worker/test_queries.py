"""worker/queries.py: the queries about the limiter and about limits of keys."""

import time
from typing import Any

import msgspec
import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.limits.token_bucket import Decision
from gateway.limiter.interface import Condition, Limiter
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.settings import parse
from gateway.table.compile import build_credentials, build_routes
from gateway.worker.queries import purge_query, query_handlers
from tests.cached_gateway import CachedService, ask, cached_gateway, cached_route, got
from tests.clocks import ManualClock
from tests.fake_key_store import FakeKeyStore, stored_keys
from tests.samples import Echo

CONFIG = parse(f"""
version: 1
organizations: [{{id: acme, limits: [{{id: day, max: 100, per: 1d}}]}}, {{id: initech}}]
plans:
- {{id: standard, limits: [{{id: minute, max: 300, per: 1m}}], quotas: [{{id: calls, code: 8001, kind: count, max: 9, charge: [{{routes: [r]}}]}}]}}
keys: [{{id: k, secret_sha256: {"a" * 64}, organizations: [acme, initech]}}]
upstreams: [{{id: u, targets: [{{url: "http://127.0.0.1:1"}}]}}]
routes: [{{id: r, match: {{prefix: /}}, upstream: u}}]
""")
KEYRING = build_credentials(CONFIG).keyring
ROUTES = build_routes(CONFIG, {"u": Echo()}, {}).routes


def memory() -> LocalLimiter:
    return LocalLimiter(ManualClock().clock)


def away() -> RedisLimiter:
    """Never started, so Redis is away."""
    return RedisLimiter("redis://127.0.0.1:1", "gw", 0.05, "deny", Clock(time.monotonic, time.time))


async def asked(limiter: Limiter, question: str, **about: str) -> tuple[int, Any]:
    status, reported = await query_handlers(limiter, KEYRING, ROUTES)[question](about)
    return status, reported if isinstance(reported, Condition) else msgspec.to_builtins(reported)


async def spend(limiter: LocalLimiter) -> Decision:
    key = KEYRING.named("k")
    assert key is not None
    tariff = ROUTES[0].tariff
    assert tariff is not None
    return await limiter.decide(tariff.claim(key.callers[None], "GET"))


async def test_the_limiter_reports_its_condition() -> None:
    limiter = memory()
    assert await asked(limiter, "limiter") == (200, limiter.condition())


async def test_limits_of_a_key_for_each_of_its_organisations() -> None:
    limiter = memory()
    await spend(limiter)
    status, response = await asked(limiter, "limits", key="k")
    assert (status, response["store"], response["key"], response["organization"], response["routes"]) == (
        200,
        "local",
        "k",
        "acme",
        [],
    )
    assert [(each["id"], each["used"]) for each in response["limits"]] == [("minute", 1), ("organization/day", 1)]
    _, response = await asked(limiter, "limits", key="k", organization="initech")
    assert [(each["id"], each["used"]) for each in response["limits"]] == [("minute", 1)]


async def test_a_reset_is_of_what_the_key_alone_has_used() -> None:
    limiter = memory()
    await spend(limiter)
    assert await asked(limiter, "reset", key="k") == (200, {"key": "k", "reset": ["minute"]})
    _, response = await asked(limiter, "limits", key="k")
    assert [each["used"] for each in response["limits"]] == [0, 1]


async def test_a_quota_is_reset_only_when_it_is_named_and_rates_stay_then() -> None:
    limiter = memory()
    await spend(limiter)
    await asked(limiter, "reset", key="k")
    await spend(limiter)
    assert await asked(limiter, "reset", key="k", quota="concurrency") == (
        404,
        {"error": "the key has no quota of this id"},
    )
    for used in (2, 0):
        _, response = await asked(limiter, "limits", key="k")
        assert ([each["used"] for each in response["quotas"]], response["limits"][0]["used"]) == ([used], 1)
        assert await asked(limiter, "reset", key="k", quota="calls") == (200, {"key": "k", "reset": ["calls"]})


@pytest.mark.parametrize("question", ["limits", "reset"])
async def test_an_unknown_key_is_not_repeated(question: str) -> None:
    assert await asked(memory(), question, key="gw_a_secret") == (404, {"error": "there is no key of this id"})
    assert await asked(memory(), question) == (404, {"error": "there is no key of this id"})
    error = {"error": "the key does not belong to this organisation"}
    assert await asked(memory(), question, key="k", organization="umbrella") == (404, error)


async def test_queries_report_that_redis_is_away() -> None:
    status, response = await asked(away(), "limits", key="k")
    assert (status, response) == (503, {"error": "The rate limit cannot be checked at present. Try again shortly."})
    for parameters in ({"key": "k"}, {"key": "k", "quota": "calls"}):
        status, response = await asked(away(), "reset", **parameters)
        assert (status, response) == (
            503,
            {"error": "Redis is away: only what this gateway counts in memory was reset"},
        )


async def test_keys_in_redis_are_looked_up_there() -> None:
    key_store, limiter = FakeKeyStore(), memory()
    key_store.name("k", organizations=["acme"])
    answers = query_handlers(limiter, KEYRING, [], stored_keys(key_store))
    assert [(await answers[question]({"key": "k"}))[0] for question in ("limits", "reset")] == [200, 200]
    assert [(await answers[question]({"key": "nobody"}))[0] for question in ("limits", "reset")] == [404, 404]
    key_store.away = True
    assert [(await answers[question]({"key": "k"}))[0] for question in ("limits", "reset")] == [503, 503]


async def test_a_purge_says_how_much_there_was() -> None:
    one = cached_gateway(cached_route(CachedService((b"cache-control", b"max-age=60"), (b"cache-tag", b"x"))))
    purge = purge_query(one.cache)
    await got(one, ask())
    assert await purge({"route": "orders", "tag": "y"}) == (200, {"purged": 0})
    assert await purge({"tag": "x"}) == (200, {"purged": 1})
    assert await purge({"route": "other"}) == (404, {"error": "no route of this id has a cache"})
