"""What replies say about rate limits, and that limits hold."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import reply
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, enveloped, front, requesting
from tests.raw_client import RawClient, RawReply

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLENTY, FEW, MANY_WINDOWS, ODD, READER, BUILT_IN, ONE, OTHER = (f"gw_test_key_of_plan_{name}" for name in "abcdefgh")
SECTIONS = {
    "server": '{drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0", limits: {body: 1KiB}}]}',
    "plans": """
- {id: unlimited, limits: []}
- {id: plenty, limits: [{id: minute, max: 300, per: 1m}]}
- {id: few, limits: [{id: hour, max: 3, per: 1h}]}
- {id: windows, limits: [{id: second, max: 50, per: 1s}, {id: minute, max: 300, per: 1m}, {id: hour, max: 2, per: 1h}, {id: day, max: 9, per: 1d}]}
- {id: odd, limits: [{id: slow, max: 10, per: 90s}]}
""",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: plenty, secret_sha256: {digest(PLENTY)}, organizations: [acme], plan: plenty}}
- {{id: few, secret_sha256: {digest(FEW)}, organizations: [acme], plan: few, routes: [all]}}
- {{id: windows, secret_sha256: {digest(MANY_WINDOWS)}, organizations: [acme], plan: windows, routes: [all]}}
- {{id: odd, secret_sha256: {digest(ODD)}, organizations: [acme], plan: odd}}
- {{id: reader, secret_sha256: {digest(READER)}, organizations: [acme], plan: plenty, methods: [GET]}}
- {{id: built-in, secret_sha256: {digest(BUILT_IN)}, organizations: [acme]}}
- {{id: one, secret_sha256: {digest(ONE)}, organizations: [team], plan: plenty}}
- {{id: other, secret_sha256: {digest(OTHER)}, organizations: [team], plan: plenty}}
""",
    "organizations": "[{id: acme}, {id: team, limits: [{id: minute, max: 20, per: 1m}]}]",
    "upstreams": """
- {id: backend, targets: [{url: "http://127.0.0.1:{backend}"}]}
- {id: away, targets: [{url: "http://127.255.255.255:1"}]}
""",
    "routes": """
- {id: all, match: {prefix: /v1, methods: [GET, POST]}, upstream: backend}
- {id: away, match: {path: /away}, upstream: away}
- {id: dear, match: {path: /dear, methods: [GET, DELETE]}, upstream: backend, cost: {DELETE: 8}, limits: [{id: month, max: 100, per: 30d, scope: route}]}
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        yield built


def limit_fields(answer: RawReply) -> dict[str, str]:
    """The fields about limits."""
    return {name: value for name, value in answer.fields if "ratelimit" in name}


THEIRS = (
    b"X-RateLimit-Limit-Minute: 1",
    b"X-RateLimit-Remaining-Minute: 0",
    b"X-RateLimit-Limit-Week: 1",
    b"RateLimit: x",
    b"RateLimit-Policy: y",
)


@pytest.mark.parametrize(
    ("method", "path", "key", "body", "status"),
    [
        ("GET", "/v1/a", PLENTY, None, 200),
        ("HEAD", "/v1/head", PLENTY, None, 200),
        ("GET", "/v1/gone", PLENTY, None, 204),
        ("GET", "/v1/missing", PLENTY, None, 404),
        ("GET", "/none", PLENTY, None, 404),
        ("GET", "/v1/%2e%2e/a", PLENTY, None, 400),
        ("DELETE", "/v1/a", PLENTY, None, 405),
        ("POST", "/v1/a", READER, b"{}", 403),
        ("POST", "/v1/a", PLENTY, b"a" * 1025, 413),
        ("GET", "/away", PLENTY, None, 503),
        ("GET", "/v1/garbage", PLENTY, None, 503),
    ],
)
async def test_every_reply_to_a_known_caller_says_what_is_left(
    here: Front, method: str, path: str, key: str, body: bytes | None, status: int
) -> None:
    here.service.on("/v1/a", reply(b"{}", *THEIRS))
    here.service.on("/v1/head", reply(b"", *THEIRS))
    here.service.on("/v1/gone", b"HTTP/1.1 204 No Content\r\nX-RateLimit-Limit-Minute: 1\r\n\r\n")
    here.service.on("/v1/missing", reply(b"{}", *THEIRS, status=b"404 Not Found"))
    here.service.on("/v1/garbage", reply(b"{", *THEIRS))
    answer = await ask(here.gateway, method, path, key=key, body=body)
    assert answer.status == status
    found = limit_fields(answer)
    assert set(found) == {"x-ratelimit-limit-minute", "x-ratelimit-remaining-minute", "ratelimit", "ratelimit-policy"}
    assert (found["x-ratelimit-limit-minute"], found["ratelimit-policy"]) == ("300", '"minute";q=300;w=60')
    assert 0 < int(found["x-ratelimit-remaining-minute"]) <= 300
    assert found["ratelimit"].startswith(f'"minute";r={found["x-ratelimit-remaining-minute"]};t=')


@pytest.mark.parametrize("lines", [(), ("X-Api-Key: unknown",), (f"X-Api-Key: {PLENTY}", f"X-Api-Key: {FEW}")])
async def test_nobody_has_a_bucket_on_401(here: Front, lines: tuple[str, ...]) -> None:
    answer = await ask(here.gateway, "GET", "/v1/a", *lines, key=None)
    assert (answer.status, limit_fields(answer)) == (401, {})


async def test_a_plan_without_limits_says_nothing(here: Front) -> None:
    here.service.on("/v1/a", reply(b"{}", *THEIRS))
    assert limit_fields(await ask(here.gateway, "GET", "/v1/a")) == {}


async def test_300_per_minute_unless_a_plan_says_otherwise(here: Front) -> None:
    here.service.on("/v1/a", reply())
    found = limit_fields(await ask(here.gateway, "GET", "/v1/a", key=BUILT_IN))
    assert (found["x-ratelimit-limit-minute"], found["x-ratelimit-remaining-minute"]) == ("300", "299")
    assert found["ratelimit"] == '"minute";r=299;t=1'


async def test_remaining_counts_down_and_what_was_refused_costs_nothing(here: Front) -> None:
    here.service.on("/v1/a", reply())
    async with await RawClient.connect(here.gateway.port) as client:

        async def call(path: str = "/v1/a") -> RawReply:
            await client.send(requesting("GET", path, key=FEW))
            return await client.reply()

        before = len(here.service.requests)
        answers = [await call() for _ in range(3)]
        assert [limit_fields(answer)["x-ratelimit-remaining-hour"] for answer in answers] == ["2", "1", "0"]
        for refused in [await call() for _ in range(5)]:
            assert (refused.status, enveloped(refused)["data"]["code"]) == (429, 8000)
            assert limit_fields(refused)["x-ratelimit-remaining-hour"] == "0"
            assert 1190 <= int(refused.field("Retry-After") or 0) <= 1200
            record = await here.gateway.record("request_id", refused.field("X-Request-Id"))
            assert (record["gateway.limiter.result"], record["gateway.limiter.remaining"]) == ("refused", 0)
        assert len(here.service.requests) == before + 3
        assert (await call("/none")).status == 404


async def test_all_windows_of_a_plan_hold_and_a_refusal_charges_none(here: Front) -> None:
    here.service.on("/v1/a", reply())
    found = limit_fields(await ask(here.gateway, "GET", "/v1/a", key=MANY_WINDOWS))
    assert {name: value for name, value in found.items() if "-limit-" in name} == {
        "x-ratelimit-limit-second": "50",
        "x-ratelimit-limit-minute": "300",
        "x-ratelimit-limit-hour": "2",
        "x-ratelimit-limit-day": "9",
    }
    assert found["ratelimit-policy"] == '"second";q=50;w=1, "minute";q=300;w=60, "hour";q=2;w=3600, "day";q=9;w=86400'
    await ask(here.gateway, "GET", "/v1/a", key=MANY_WINDOWS)
    for _ in range(4):
        refused = await ask(here.gateway, "GET", "/v1/a", key=MANY_WINDOWS)
        assert refused.status == 429
        found = limit_fields(refused)
        assert (found["x-ratelimit-remaining-hour"], found["x-ratelimit-remaining-day"]) == ("0", "7")
        assert "hour" in enveloped(refused)["data"]["details"][0]["text"]


async def test_an_odd_window_is_reported_in_the_ietf_fields_only(here: Front) -> None:
    here.service.on("/v1/a", reply())
    found = limit_fields(await ask(here.gateway, "GET", "/v1/a", key=ODD))
    assert found == {"ratelimit-policy": '"slow";q=10;w=90', "ratelimit": '"slow";r=9;t=9'}


async def test_keys_of_an_organisation_share_its_limit_and_routes_have_their_own_costs(here: Front) -> None:
    here.service.on("/v1/a", reply())
    here.service.on("/dear", reply(), reply(), reply())
    found = limit_fields(await ask(here.gateway, "GET", "/v1/a", key=ONE))
    assert (found["x-ratelimit-limit-minute"], found["x-ratelimit-remaining-minute"]) == ("20", "19")
    for left in ("11", "3"):
        found = limit_fields(await ask(here.gateway, "DELETE", "/dear", key=OTHER))
        assert (found["x-ratelimit-limit-minute"], found["x-ratelimit-remaining-minute"]) == ("20", left)
    assert found["x-ratelimit-limit-month"] == "100"
    assert (
        found["ratelimit-policy"]
        == '"minute";q=300;w=60, "organization/minute";q=20;w=60, "route/dear/month";q=100;w=2592000'
    )
    refused = await ask(here.gateway, "DELETE", "/dear", key=ONE)
    assert refused.status == 429
    (detail,) = enveloped(refused)["data"]["details"]
    assert "Your organisation's limit of 20 per minute (organization/minute)" in detail["text"]
    assert "this call costs 8" in detail["text"]
    assert limit_fields(refused)["x-ratelimit-remaining-month"] == "84"
