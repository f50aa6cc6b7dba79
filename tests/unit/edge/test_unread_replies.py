"""edge/unread_replies.py: what clients leave unread is bounded, and those that take it are not disturbed."""

import asyncio
import math

import pytest

from gateway.edge.unread_replies import SLOW_BYTES_PER_S, UnreadReplies
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import REPLY_NOT_TAKEN
from tests.fakes import until
from tests.raw_client import RawClient
from tests.unit.edge.listening import GET, listening

SLOW, FAST = 10.0, SLOW_BYTES_PER_S + 1.0


class Reading:
    """A client."""

    def __init__(self, owner: str, pace: float) -> None:
        self._owner = owner
        self._pace = pace
        self.cut = False

    def owner(self) -> str:
        return self._owner

    def pace(self, now: float) -> float:
        return self._pace

    def cut_unread(self) -> None:
        self.cut = True


def noted(limit: float, *readers: tuple[str, float, int]) -> list[bool]:
    """Which of these (owner, pace, bytes) are cut."""
    events: list[None] = []
    unread = UnreadReplies(limit, lambda: events.append(None))
    reading = [Reading(owner, pace) for owner, pace, _ in readers]
    for reader, (_, _, size) in zip(reading, readers, strict=True):
        unread.update(reader, size)
    unread.enforce(0.0)
    cut = [reader.cut for reader in reading]
    assert len(events) == sum(cut)
    assert unread.total == sum(size for gone, (_, _, size) in zip(cut, readers, strict=True) if not gone)
    return cut


def test_up_to_half_of_it_nobody_is_cut() -> None:
    assert noted(100, ("a", SLOW, 30), ("b", SLOW, 20)) == [False, False]


def test_beyond_half_of_it_the_slow_are_cut_and_first_those_of_the_caller_that_leaves_most() -> None:
    assert noted(100, ("a", SLOW, 20), ("b", SLOW + 1, 20), ("b", SLOW, 20)) == [False, False, True]


def test_beyond_half_of_it_the_fast_go_on() -> None:
    assert noted(100, ("a", FAST, 60), ("b", math.inf, 30)) == [False, False]
    assert noted(100, ("a", FAST, 50), ("b", SLOW, 30)) == [False, True]


def test_beyond_the_whole_anybody_is_cut_of_the_caller_that_leaves_most() -> None:
    assert noted(100, ("a", FAST, 40), ("a", math.inf, 40), ("b", SLOW, 30)) == [True, False, True]
    assert noted(100, ("a", math.inf, 101)) == [True]


def test_who_is_gone_leaves_nothing() -> None:
    unread = UnreadReplies(100)
    reader = Reading("a", SLOW)
    unread.update(reader, 90)
    unread.update(reader, 70)
    assert repr(unread) == "<UnreadReplies 70 bytes of 100, 1 readers>"
    unread.update(reader, 0)
    unread.enforce(0.0)
    assert (unread.total, reader.cut) == (0, False)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_that_does_not_read_is_cut_and_others_are_served(*, streamed: bool) -> None:
    size = 8 << 20
    ended: list[Exchange] = []
    events: list[None] = []

    class Stream:
        unread = 0

        async def read(self) -> bytes:
            return b"x" * (4 << 20)

        def close(self) -> None:
            pass

    async def serve(x: Exchange, send: Send) -> None:
        large = Reply(200, [], b"", length=size, content=b"x" * size)
        x.reply = Reply(200, [], b"", stream=Stream(), length=size) if streamed else large
        try:
            await send(x.reply if x.path == "/large" else Reply(200, [], b"{}"))
        finally:
            ended.append(x)

    async with listening(serve) as (listener, port):
        listener.unread = UnreadReplies(1 << 17, lambda: events.append(None))
        async with await RawClient.connect(port) as client, await RawClient.connect(port) as other:
            client.stop_reading()
            await client.send(GET.replace(b"/a", b"/large"))
            await until(lambda: bool(events))
            await until(lambda: bool(ended))
            assert ended[0].ended is not None
            assert ended[0].ended.fault is REPLY_NOT_TAKEN
            await other.send(GET)
            assert (await other.reply()).body == b"{}"
        await until(lambda: not listener.busy)
        assert listener.unread.total == 0


async def test_a_large_reply_arrives_whole_and_is_counted_while_it_is_on_its_way() -> None:
    body, content, tail = b"[" * 300_000, bytes(range(256)) * 20_000, b"]" * 300_000
    sizes: list[int] = []

    async def serve(x: Exchange, send: Send) -> None:
        sent = await send(Reply(200, [], body, tail=tail, length=len(body) + len(content) + len(tail), content=content))
        assert sent == len(body) + len(content) + len(tail)

    class Watched(UnreadReplies):
        @property
        def over_limit(self) -> bool:
            sizes.append(self.total)
            return False

    async with listening(serve) as (listener, port), await RawClient.connect(port) as client:
        listener.unread = Watched()
        for _ in range(2):
            await client.send(GET)
            assert (await client.reply()).body == body + content + tail
        assert max(sizes) > 1_000_000
        await until(lambda: listener.unread.total == 0)


async def test_a_client_that_leaves_within_a_large_reply_leaves_nothing_behind() -> None:
    gone = asyncio.Event()

    async def serve(x: Exchange, send: Send) -> None:
        try:
            await send(Reply(200, [], b"", length=50_000_000, content=bytes(50_000_000)))
        finally:
            gone.set()

    async with listening(serve) as (listener, port):
        async with await RawClient.connect(port) as client:
            await client.send(GET)
            await client.interim()
        async with asyncio.timeout(10):
            await gone.wait()
        await until(lambda: not listener.busy)
        assert listener.unread.total == 0
