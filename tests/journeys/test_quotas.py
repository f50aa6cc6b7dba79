"""Quotas end to end: each business code, what is charged and what is not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import End, reply, until
from tests.gateway_process import configuration, running
from tests.journeys.backends import Front, Service, clients, counted, counts, requesting
from tests.journeys.quota_plans import COLLEAGUE, NARROW, OTHERS, refused, sections, statuses, until_served
from tests.raw_client import RawClient
from tests.redis_server import RedisProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "redis"])
async def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    more = {}
    if request.param == "redis":
        server: RedisProcess = request.getfixturevalue("module_redis")
        more["redis"] = f'{{url: "{server.url}", timeout: 500ms}}'
    async with Service() as service:
        with running(configuration(service.port, **sections(**more)), tmp_path_factory.mktemp("gateway")) as gateway:
            yield Front(service, gateway)


async def test_8001_encodings_of_a_month(here: Front) -> None:
    here.service.on("/encodings", reply(b'{"id":1}', status=b"201 Created"))
    assert await statuses(here, 2, "POST", "/encodings") == [201, 201]
    for status in (b"500 Internal Server Error", b"400 Bad Request", b"503 Service Unavailable"):
        here.service.on("/encodings", reply(b"{}", status=status))
        assert await statuses(here, 4, "POST", "/encodings") == [int(status[:3])] * 4
    here.service.on("/encodings", End.RESET)
    assert await statuses(here, 4, "POST", "/encodings") == [503] * 4
    here.service.on("/encodings", reply(b'{"id":1}', status=b"201 Created"))
    assert await statuses(here, 1, "POST", "/encodings") == [201]
    answer, data = await refused(here, "POST", "/encodings", 8001, "encodings")
    assert (data["message"], data["developerMessage"]) == ("No encodings left this month", "Ask sales.")
    assert data["links"] == [{"href": "https://example.com/plans", "title": "Plans"}]
    (detail,) = data["details"]
    assert "Your quota encodings is spent: 3 of 3 are used this month, and it opens again in " in detail["text"]
    assert 1 <= int(answer.field("Retry-After") or 0) <= 31 * 86_400
    left = answer.field("X-RateLimit-Remaining-Day")
    assert (await refused(here, "POST", "/encodings", 8001, "encodings"))[0].field("X-RateLimit-Remaining-Day") == left
    assert await statuses(here, 1, "GET", "/encodings") == [201]  # not among the calls that are charged
    assert await statuses(here, 4, "POST", "/encodings", COLLEAGUE) == [201, 201, 201, 429]


async def test_8003_bytes_reported_in_a_header(here: Front) -> None:
    for amount in (b"600", b"-5", b"1e3", b"0"):
        here.service.on("/outputs", reply(b"{}", b"X-Encoded-Bytes: " + amount))
        assert await statuses(here, 1, "POST", "/outputs") == [200]
    here.service.on("/outputs", reply(b"{}", b"X-Encoded-Bytes: 999", status=b"502 Bad Gateway"))
    assert await statuses(here, 1, "POST", "/outputs") == [502]
    here.service.on("/outputs", reply(b"{}", b"X-Encoded-Bytes: 401"))
    assert await statuses(here, 1, "POST", "/outputs") == [200]
    _, data = await refused(here, "POST", "/outputs", 8003, "bytes")
    assert data["message"] == "Limit of encoded bytes exceeded"
    assert "1001 of 1000 are used this month" in data["details"][0]["text"]
    assert counted(here.gateway, "gateway_quota_unmeasured_total", quota="bytes") == 2


async def test_8003_bytes_reported_in_the_json(here: Front) -> None:
    for body in (
        b'{"output":{"bytes":999}}',
        b"{}",
        b'{"output":{"bytes":"1"}}',
        b'{"output":[1]}',
        b'{"output":{"bytes":1}}',
    ):
        here.service.on("/results", reply(body))
        assert await statuses(here, 1, "GET", "/results") == [200]
    answer, data = await refused(here, "GET", "/results", 8003, "told")
    assert (answer.field("Retry-After"), "does not open again by itself" in data["details"][0]["text"]) == (
        "86400",
        True,
    )
    here.service.on("/results", reply(b'{"output":{"bytes":5000},"rest":"%b"}' % (b"x" * 3_000_000)))
    assert await statuses(here, 2, "GET", "/results", OTHERS[0]) == [200, 200]  # streamed: what it says is not read
    # A streamed reply is settled after its last byte
    await until(lambda: counted(here.gateway, "gateway_quota_unmeasured_total", quota="told") == 5, 10)


async def test_8004_queued_vod(here: Front) -> None:
    for path in ("/vod/start", "/vod/run", "/vod/stop"):
        here.service.on(path, reply())
    assert await statuses(here, 2, "POST", "/vod/start") == [200, 200]
    _, data = await refused(here, "POST", "/vod/start", 8004, "queued")
    assert (
        "2 of 2 are used, and it opens when one of them is released, in 24 hours at the latest"
        in data["details"][0]["text"]
    )
    here.service.on("/vod/run", reply(status=b"500 Internal Server Error"))
    assert await statuses(here, 1, "POST", "/vod/run") == [500]
    await refused(here, "POST", "/vod/start", 8004, "queued")
    here.service.on("/vod/run", reply())
    assert await statuses(here, 1, "POST", "/vod/run") == [200]
    assert await statuses(here, 2, "POST", "/vod/start") == [200, 429]
    assert await statuses(here, 5, "POST", "/vod/stop") == [200] * 5
    assert await statuses(here, 3, "POST", "/vod/start") == [200, 200, 429]


async def test_8005_started_live_of_an_organisation(here: Front) -> None:
    here.service.on("/live", reply())
    assert await statuses(here, 1, "POST", "/live") == [200]
    assert await statuses(here, 1, "POST", "/live", COLLEAGUE) == [200]
    answer, data = await refused(here, "POST", "/live", 8005, "organization/metered/live")
    assert data["details"][0]["text"].startswith(
        "Your organisation's quota organization/metered/live is spent: 2 of 2 are used"
    )
    assert answer.field("Retry-After") == "60"
    assert await statuses(here, 1, "POST", "/live", OTHERS[1]) == [200]
    assert await statuses(here, 1, "DELETE", "/live", COLLEAGUE) == [200]
    assert await statuses(here, 2, "POST", "/live") == [200, 429]


async def test_8006_finished_vod(here: Front) -> None:
    here.service.on("/vod/finish", reply())
    assert await statuses(here, 2, "POST", "/vod/finish") == [200, 200]
    answer, data = await refused(here, "POST", "/vod/finish", 8006, "finished")
    assert (data["message"], answer.field("Retry-After")) == ("Limit of finished VOD encodings exceeded", "86400")


async def test_who_leaves_early_is_charged_for_what_the_service_was_handed(here: Front) -> None:
    """Or leaving early would be a way to have work done for nothing."""
    key, path = OTHERS[2], "/encodings"
    here.service.on(path, End.NEVER)
    left = counted(here.gateway, "gateway_requests_total", route="encodings", code="499")
    for calls in (1, 2, 3):
        before = len(here.service.at(path))
        async with await RawClient.connect(here.gateway.port) as client:
            await client.send(requesting("POST", path, key=key))
            await until(lambda before=before: len(here.service.at(path)) > before)  # type: ignore[misc]
        await counts(here.gateway, "gateway_requests_total", left + calls, route="encodings", code="499")
    await refused(here, "POST", path, 8001, "encodings", key)


async def test_so_many_at_once_and_no_more(here: Front) -> None:
    may_go_on, path = asyncio.Event(), "/jobs/slow"
    here.service.on(path, may_go_on, reply())
    here.service.on("/jobs/fast", reply())
    before = len(here.service.at(path))
    async with clients(here.gateway, 2) as (first, second):
        await first.send(requesting("GET", path, key=NARROW))
        await second.send(requesting("GET", path, key=NARROW))
        await until(lambda: len(here.service.at(path)) == before + 2)
        answer, data = await refused(here, "GET", "/jobs/fast", 8000, "concurrency", NARROW)
        assert (answer.field("Retry-After"), data["message"]) == ("1", "Limit exceeded")
        assert (
            "limit of 2 requests at once (concurrency) has no room for this call: 2 are in flight"
            in data["details"][0]["text"]
        )
        assert await statuses(here, 1, "GET", "/jobs/fast") == [200]  # another caller
        may_go_on.set()
        assert [(await first.reply()).status, (await second.reply()).status] == [200, 200]
    await until_served(here, "/jobs/fast")
    assert await statuses(here, 9, "GET", "/jobs/fast", NARROW) == [200] * 9


async def test_a_place_is_free_again_whatever_ended_the_call(here: Front) -> None:
    here.service.on("/jobs/never", End.NEVER)
    here.service.on("/jobs/reset", End.RESET)
    here.service.on("/jobs/fast", reply())
    for _ in range(2):
        before = len(here.service.at("/jobs/never"))
        async with clients(here.gateway, 2) as both:
            for client in both:
                await client.send(requesting("GET", "/jobs/never", key=NARROW))
            await until(lambda before=before: len(here.service.at("/jobs/never")) == before + 2)  # type: ignore[misc]
        await until_served(here, "/jobs/fast")
        assert await statuses(here, 3, "GET", "/jobs/reset", NARROW) == [503] * 3
        assert await statuses(here, 3, "GET", "/jobs/missing", NARROW) == [404] * 3


async def test_a_streamed_reply_is_in_flight_until_its_end(here: Front) -> None:
    may_end = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    here.service.on("/jobs/stream", head + b"5\r\nhello\r\n", may_end, b"0\r\n\r\n")
    here.service.on("/jobs/fast", reply())
    async with clients(here.gateway, 2) as both:
        for client in both:
            await client.send(requesting("GET", "/jobs/stream", key=NARROW))
            assert await client.interim() == 200
        await refused(here, "GET", "/jobs/fast", 8000, "concurrency", NARROW)
        may_end.set()
        await until_served(here, "/jobs/fast")
