"""admin/tail_view.py: access lines are followed over the admin listener, by who has the token."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from gateway.admin.listener import AdminListener
from gateway.admin.tail_view import tail_view
from gateway.observe.access_log import AccessRecord
from gateway.tail.follower import MOST_FOLLOWERS, Tail
from gateway.tail.line_ring import ENTRIES, LineRing
from tests.fakes import until
from tests.unit.admin.asked import State

BEARER = {"Authorization": "Bearer sesame"}


@asynccontextmanager
async def following(
    ring: LineRing, quiet_s: float = 10.0, ready_within_s: float = 10.0, is_open: Callable[[], bool] | None = None
) -> AsyncIterator[tuple[aiohttp.ClientSession, Tail]]:
    """A client of an admin listener that follows `ring`, whose worker knows it already."""
    ring.is_writing = True
    state, tail = State(), Tail(lambda: [ring])
    admin = AdminListener("127.0.0.1:0", state.node, state.readiness, token="sesame")
    admin.resources["/tail"] = {
        "GET": tail_view(tail, is_open or (lambda: admin.is_open), 0.01, quiet_s, ready_within_s)
    }
    await admin.start()
    try:
        async with aiohttp.ClientSession(f"http://{admin.address}", headers=BEARER) as client:
            yield client, tail
    finally:
        await admin.close()


async def line(reply: aiohttp.ClientResponse) -> Any:
    async with asyncio.timeout(10):
        return json.loads(await reply.content.readline())


def record(route: str = "orders", status: int = 200) -> AccessRecord:
    return AccessRecord(request_id="r", method="GET", route=route, status=status, source="gateway", key_id="acme-ci")


async def test_lines_come_as_they_are_written_and_as_they_are_asked_for() -> None:
    ring = LineRing()
    async with following(ring) as (client, tail):
        async with client.get("/tail?status=5xx&route=orders&key=acme-ci&source=gateway") as reply:
            assert (reply.status, reply.content_type) == (200, "application/x-ndjson")
            assert await line(reply) == {"event": "following", "all_workers": True}
            for each in (record(), record("other", 503), record(status=503)):
                ring.put(each)
            found = await line(reply)
            assert (found["http.route"], found["http.response.status_code"]) == ("orders", 503)
        await until(lambda: repr(tail) == "<Tail 0 followers>")
        assert not ring.is_followed


async def test_a_reader_learns_how_many_lines_it_has_missed() -> None:
    ring = LineRing()
    async with following(ring) as (client, _), client.get("/tail?status=500") as reply:
        await line(reply)
        for _ in range(ENTRIES + 3):
            ring.put(record())
        assert await line(reply) == {"event": "lost", "lines": 3}


async def test_it_ends_when_the_listener_is_about_to_be_closed() -> None:
    is_open = [True]
    async with following(LineRing(), is_open=lambda: bool(is_open)) as (client, tail), client.get("/tail") as reply:
        await line(reply)
        is_open.clear()
        async with asyncio.timeout(10):
            assert await reply.content.read() == b""
        assert repr(tail) == "<Tail 0 followers>"


async def test_an_empty_line_says_that_both_are_there() -> None:
    async with following(LineRing(), 0.0) as (client, _), client.get("/tail") as reply:
        await line(reply)
        async with asyncio.timeout(10):
            assert await reply.content.readline() == b"\n"


async def test_what_is_not_understood_is_refused_and_so_is_one_reader_too_many() -> None:
    async with following(LineRing()) as (client, tail):
        async with client.get("/tail?rout=orders") as reply:
            assert reply.status == 400
        async with client.get("/tail", headers={"Authorization": "Bearer wrong"}) as reply:
            assert reply.status == 401
        readers = [await client.get("/tail") for _ in range(MOST_FOLLOWERS)]
        async with client.get("/tail") as reply:
            assert (reply.status, await reply.json()) == (503, {"error": "too many follow already"})
        for each in readers:
            each.close()
        await until(lambda: repr(tail) == "<Tail 0 followers>")


async def test_a_worker_that_does_not_say_that_it_knows_is_not_waited_for_long() -> None:
    ring = LineRing()
    async with following(ring, ready_within_s=0.03) as (client, _):
        ring.is_writing = False
        async with client.get("/tail") as reply:
            assert await line(reply) == {"event": "following", "all_workers": False}
