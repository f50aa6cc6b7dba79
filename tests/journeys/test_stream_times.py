"""The time limits of streamed replies: silence of the service ends them, slowness of the client does not."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import End, Step, reply
from tests.gateway_process import KEY
from tests.journeys.backends import Front, ask, chunked, counted, enveloped, front, requesting
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT_S = 0.4
"""Of every time-out about the service. No stream here is over within it."""
SLOWEST_S = 1.5
"""Within such a span a client has to take 16 KiB a second."""
LARGE_BYTES = 30_000_000

SECTIONS = {
    "server": '{workers: 1, drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0", limits: {body_timeout: 1500ms}}]}',
    "plans": "[{id: unlimited, limits: [], quotas: [{id: calls, code: 8001, kind: count, max: 1000, per: month, charge: [{routes: [all, raw]}]}]}]",
    "upstreams": """
- {id: backend, targets: [{url: "http://127.0.0.1:{backend}"}], timeouts: {first_byte: 400ms, total: 400ms, idle: 400ms}}
""",
    "routes": """
- {id: all, match: {prefix: /v1}, upstream: backend, envelope: {max_buffer: 64KiB, binary: passthrough}}
- {id: raw, match: {prefix: /raw}, upstream: backend, envelope: {mode: passthrough}}
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        yield built


def used(here: Front) -> int:
    """What the caller has used of its quota."""
    found = json.loads(here.gateway.admin("/limits?key=tester")[1])
    return next(int(quota["used"]) for quota in found["quotas"] if quota["id"] == "calls")


def head(kind: str, *lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {kind}", *lines, "", ""]).encode()


def steadily(pieces: list[bytes]) -> Step:
    """One piece after another, each of them well within the time-outs, all of them not."""

    async def write(writer: asyncio.StreamWriter) -> None:
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        for number, piece in enumerate(pieces):
            loop.call_later(number * LIMIT_S / 4, writer.write, piece)
        loop.call_later(len(pieces) * LIMIT_S / 4, gone.set)
        await gone.wait()

    return write


JSON_PIECE = b'"' + b"a" * 20_000 + b'",'
STEADY = {
    "events": ("/v1/events", "text/event-stream", [b"data: %d\n\n" % n for n in range(12)]),
    "events passed through": ("/raw/events", "text/event-stream", [b"data: %d\n\n" % n for n in range(12)]),
    "binary": ("/v1/file", "application/zip", [b"PK%d" % n for n in range(12)]),
    "passed through": ("/raw/json", "application/json", [b"[", *[b"%d," % n for n in range(10)], b"0]"]),
    "beyond the buffer": ("/v1/json", "application/json", [b"[" + JSON_PIECE * 4, *[JSON_PIECE] * 10, b"0]"]),
}


@pytest.mark.parametrize("framing", ["chunks", "length"])
async def test_what_comes_steadily_arrives_whole_however_long_it_takes(here: Front, framing: str) -> None:
    before = used(here)
    await asyncio.gather(*(arrives_whole(here, what, framing) for what in STEADY))
    assert used(here) == before + len(STEADY)


async def arrives_whole(here: Front, what: str, framing: str) -> None:
    path, kind, pieces = STEADY[what]
    whole = b"".join(pieces)
    if framing == "chunks":
        begin, parts = (
            head(kind, "Transfer-Encoding: chunked"),
            [chunked([piece])[:-5] for piece in pieces] + [b"0\r\n\r\n"],
        )
    else:
        begin, parts = head(kind, f"Content-Length: {len(whole)}"), pieces
    found = await ask(here.gateway, "GET", here.service.on(path, begin, steadily(parts)))
    assert found.body == whole or json.loads(found.body)["data"]["result"] == json.loads(whole), what
    record = await here.gateway.record("request_id", found.field("X-Request-Id"))
    assert (record["gateway.outcome"], record["http.response.body.size"]) == ("answered", len(found.body)), what
    assert record["gateway.duration.upstream_ms"] > 2 * LIMIT_S * 1000 > 10 * record["gateway.duration.overhead_ms"]


SILENT = {
    "events": ("/v1/silent-events", head("text/event-stream"), b"data: 1\n\n"),
    "binary": ("/v1/silent-file", head("image/png", "Content-Length: 99"), b"PNG"),
    "passed through": ("/raw/silent", head("application/json", "Content-Length: 99"), b"[1,"),
    "beyond the buffer": ("/v1/silent-json", head("application/json", "Content-Length: 999999"), b"[" + JSON_PIECE * 4),
    "nothing at all": ("/raw/silent-from-the-beginning", head("application/json", "Content-Length: 99"), b""),
}


@pytest.mark.parametrize("what", SILENT)
async def test_a_service_that_falls_silent_ends_a_stream_and_the_reason_says_so(here: Front, what: str) -> None:
    path, begin, some = SILENT[what]
    errors = counted(here.gateway, "gateway_upstream_errors_total", upstream="backend", reason="upstream_timeout")
    before = used(here)
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", here.service.on(path, begin + some, End.NEVER)))
        got = await client.rest()
    assert got.startswith(b"HTTP/1.1 200 ")
    assert not got.endswith(b"0\r\n\r\n")
    request_id = got.partition(b"X-Request-Id: ")[2][:36].decode()
    record = await here.gateway.record("request_id", request_id)
    assert (record["gateway.outcome"], record["gateway.reason"]) == ("cut", "upstream_timeout")
    assert record["gateway.cause"] == f"127.0.0.1:{here.service.port}: the reply went silent for 0.4 s"
    assert record["http.response.body.size"] >= len(some)
    assert record["gateway.duration.upstream_ms"] > LIMIT_S * 900
    assert (
        counted(here.gateway, "gateway_upstream_errors_total", upstream="backend", reason="upstream_timeout")
        == errors + 1
    )
    (kept,) = json.loads(here.gateway.admin(f"/errors?request_id={request_id}")[1])["errors"]
    assert (kept["reason"], kept["outcome"]) == ("upstream_timeout", "cut")
    assert used(here) == before  # it was not delivered, and that is not the client's doing


async def test_what_is_waited_for_as_a_whole_ends_with_the_total(here: Front) -> None:
    """Its head can still say which time-out it was."""
    path = here.service.on("/v1/slow", head("application/json", "Content-Length: 12"), steadily([b" "] * 10 + [b"{}"]))
    found = await ask(here.gateway, "GET", path)
    assert enveloped(found)["data"]["code"] == 1004
    assert "http_response_timeout" in (found.field("Proxy-Status") or "")


async def bytes_read(client: RawClient, size: int, after: asyncio.Event) -> int:
    """How much comes of a body when the client takes a little, waits, and then takes all that there is."""
    got = len(await client.take(100_000))
    client.stop_reading()
    await after.wait()
    client.go_on_reading()
    return got + len(await client.take(size - got))


def later(seconds: float) -> asyncio.Event:
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, event.set)
    return event


@pytest.mark.parametrize(("path", "kind"), [("/v1/large", "application/zip"), ("/raw/large", "application/json")])
async def test_a_client_that_takes_its_time_gets_everything_and_it_is_its_own_time(
    here: Front, path: str, kind: str
) -> None:
    before = used(here)
    here.service.on(path, head(kind, f"Content-Length: {LARGE_BYTES}"), b"x" * LARGE_BYTES)
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", path))
        assert await bytes_read(client, LARGE_BYTES, later(2.5 * LIMIT_S)) == LARGE_BYTES
        record = await here.gateway.record("http.response.body.size", LARGE_BYTES)
    assert record["gateway.outcome"] == "answered"
    assert record["gateway.duration.client_ms"] > LIMIT_S * 1000 > record["gateway.duration.upstream_ms"]
    assert used(here) == before + 1
    here.gateway.lines.clear()


@pytest.mark.parametrize("how", ["stalls", "leaves"])
async def test_what_a_client_gives_up_is_charged_and_what_it_took_is_in_the_log(here: Front, how: str) -> None:
    path = here.service.on(
        f"/v1/given-up-{how}", head("application/zip", f"Content-Length: {LARGE_BYTES}"), b"x" * LARGE_BYTES
    )
    before = used(here)
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("GET", path))
        await client.take(8_000_000)
        client.stop_reading()
        if how == "leaves":
            client.reset()
        record = await here.gateway.record("url.path", path)
    assert (record["gateway.outcome"], record["gateway.reason"]) == ("abandoned", "client_closed")
    # Counted is what was given to the socket when the gateway last looked, some buffers before the client's own count.
    assert 6_000_000 < record["http.response.body.size"] < LARGE_BYTES
    assert (record.get("gateway.cause") == "the client took the reply too slowly") is (how == "stalls")
    assert used(here) == before + 1


@pytest.mark.parametrize("how", ["bad chunk", "no end"])
async def test_breaking_the_request_does_not_make_a_reply_free(here: Front, how: str) -> None:
    """The service answers while it is still being sent the body."""
    before, path = used(here), f"/raw/early-{how[:2]}"
    here.service.on(
        path, head("application/zip", f"Content-Length: {LARGE_BYTES}"), b"x" * 1_000_000, End.NEVER, early=True
    )
    async with await RawClient.connect(here.gateway.port) as client:
        await client.send(requesting("POST", path, "Transfer-Encoding: chunked") + chunked([b"x" * 300_000])[:-5])
        await client.take(1_000_000)
        if how == "no end":
            client.finish_sending()
        else:
            await client.send(b"nonsense\r\n")
        await client.rest()
    record = await here.gateway.record("url.path", path)
    assert (record["gateway.outcome"], record["http.response.status_code"]) == ("cut", 200)
    assert record["gateway.reason"] == "malformed_request"
    assert used(here) == before + 1


async def test_fifty_interim_replies_are_no_error(here: Front) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    found = await ask(here.gateway, "GET", here.service.on("/v1/hints", hints * 50, reply(b"{}")))
    assert enveloped(found)["status"] == "SUCCESS"


async def test_interim_replies_without_end_end_in_time(here: Front) -> None:
    found = await ask(
        here.gateway,
        "GET",
        here.service.on("/v1/processing", steadily([b"HTTP/1.1 102 Processing\r\n\r\n"] * 50), End.NEVER),
    )
    assert enveloped(found)["data"]["code"] == 1004
    assert "http_response_timeout" in (found.field("Proxy-Status") or "")
    assert KEY not in str(found)
