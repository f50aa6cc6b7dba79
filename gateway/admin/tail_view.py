"""The page of the admin listener that follows access lines: JSON, a line each, for as long as the reader stays."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from gateway.admin.connection import SERVER, json_reply
from gateway.admin.listener import View
from gateway.admin.record_filter import RecordFilter
from gateway.observe.access_log import FIELD_NAMES
from gateway.tail.follower import Follower, Tail, TooManyFollowersError

POLL_S = 0.1
QUIET_S = 10.0
"""After so long without a line an empty one is sent, by which both sides see whether the other is there."""
READY_WITHIN_S = 5.0
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def tail_view(
    tail: Tail,
    is_open: Callable[[], bool],
    poll_s: float = POLL_S,
    quiet_s: float = QUIET_S,
    ready_within_s: float = READY_WITHIN_S,
) -> View:
    """Follow the access lines that pass the filter of the parameters; see `RecordFilter`.

    The first line says whether all workers are followed, a line with the event `lost` how many lines the reader was too
    slow for. It ends when the listener is no longer `is_open`.
    """

    async def view(request: web.BaseRequest) -> web.StreamResponse:
        try:
            wanted = RecordFilter.parse(request.query)
        except ValueError as error:
            return json_reply(400, {"error": str(error)})
        try:
            with tail.follow() as follower:
                await _ready(follower, poll_s, ready_within_s)
                return await _follow(request, follower, wanted, is_open, poll_s, quiet_s)
        except TooManyFollowersError:
            return json_reply(503, {"error": "too many follow already"})

    return view


async def _ready(follower: Follower, poll_s: float, within_s: float) -> None:
    """Return when all workers know that they are followed, or after `within_s`."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    while not follower.is_ready and loop.time() < until_s:  # noqa: ASYNC110  workers look into shared memory
        await asyncio.sleep(poll_s)


async def _follow(
    request: web.BaseRequest,
    follower: Follower,
    wanted: RecordFilter,
    is_open: Callable[[], bool],
    poll_s: float,
    quiet_s: float,
) -> web.StreamResponse:
    loop = asyncio.get_running_loop()
    response = web.StreamResponse(headers={"Server": SERVER, "Cache-Control": "no-store"})
    response.content_type = "application/x-ndjson"
    await response.prepare(request)
    sent = msgspec.json.encode({"event": "following", "all_workers": follower.is_ready}) + b"\n"
    sent_at_s = loop.time()
    while True:
        if sent:
            await response.write(sent)
            sent_at_s = loop.time()
        await asyncio.sleep(poll_s)
        if request.transport is None or request.transport.is_closing() or not is_open():
            return response
        sent = b"".join([line + b"\n" for line in follower.lines() if _passes(line, wanted)])
        if follower.lost:
            sent += msgspec.json.encode({"event": "lost", "lines": follower.lost}) + b"\n"
            follower.lost = 0
        if not sent and loop.time() - sent_at_s > quiet_s:
            sent = b"\n"


def _passes(line: bytes, wanted: RecordFilter) -> bool:
    return wanted.passes(partial(_field, _decode(line)))


def _field(line: dict[str, Any], name: str) -> object:
    return line.get(FIELD_NAMES.get(name, name))
