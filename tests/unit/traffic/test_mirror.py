"""traffic/mirror.py: copies of calls, and what is found out by them."""

import asyncio
from typing import Any

import pytest

from gateway.kernel.faults import UPSTREAM_REFUSED, GatewayError
from gateway.traffic.mirror import LONGEST_COMPARED_BYTES, MOST_COPIES, Mirror, MirrorLog, MirrorMismatch, MirrorResult
from gateway.upstream.call import Answer, Call
from tests.fakes import turn
from tests.samples import Pieces
from tests.unit.upstream.calls import call


class Closing:
    """The rest of an answer, which is never read."""

    held_s = waited_s = 0.0
    unread = 0
    closed = False

    async def read(self) -> bytes:
        raise AssertionError("nobody reads it")

    def close(self) -> None:
        self.closed = True


class Canned:
    """An upstream that gives one answer, or raises one error, as soon as `gate` is set."""

    def __init__(self, name: str, answer: Answer | GatewayError) -> None:
        self.id = name
        self.answer = answer
        self.calls: list[Call] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, call: Call) -> Answer:
        self.calls.append(call)
        await self.gate.wait()
        if isinstance(self.answer, GatewayError):
            raise self.answer
        return self.answer


def answer(body: bytes = b'{"a": 1}', status: int = 200, stream: Any = None) -> Answer:
    return Answer(status, [], body, stream, None, "t")


class Mirrored:
    """A Mirror of `v1` at `v2`, with the results that it has counted."""

    def __init__(
        self, ours: Answer | GatewayError, theirs: Answer | GatewayError, share: float = 1.0, *, compare: bool = True
    ) -> None:
        self.results: list[MirrorResult] = []
        self.log = MirrorLog(lambda _route, result: self.results.append(result), lambda: 7.0, "X-Request-Id")
        self.v1, self.v2 = Canned("v1", ours), Canned("v2", theirs)
        self.mirror = Mirror("orders", self.v1, self.v2, share, self.log, lambda: 0.5, compare=compare)

    async def send(self, sent: Call | None = None) -> Answer:
        sent = sent or call()
        sent.head = (b"Via: 1.1 gateway\r\n", b"X-Request-Id: r-1\r\ntraceparent: x\r\n")
        found = await self.mirror.send(sent)
        for _ in range(5):
            await turn()
        return found


@pytest.mark.parametrize(
    ("ours", "theirs", "result", "differences"),
    [
        (answer(), answer(b'{"a": 2}'), "same", None),
        (answer(), answer(status=500), "status", []),
        (answer(), answer(b'{"b": 2}'), "shape", ["a: missing in the other", "b: only in the other"]),
        (answer(b"x" * (LONGEST_COMPARED_BYTES + 1)), answer(), "same", None),
        (answer(stream=Closing()), answer(b"other"), "same", None),
        (answer(), GatewayError(UPSTREAM_REFUSED), "failed", None),
    ],
)
async def test_what_becomes_of_a_copy(
    ours: Answer, theirs: Answer | GatewayError, result: MirrorResult, differences: list[str] | None
) -> None:
    mirrored = Mirrored(ours, theirs)
    assert await mirrored.send() is ours
    assert mirrored.results == [result]
    status = theirs.status if isinstance(theirs, Answer) else 0
    expected = [MirrorMismatch(7.0, "r-1", "orders", "GET", "v1", "v2", 200, status, differences or [])]
    assert list(mirrored.log.mismatches) == ([] if differences is None else expected)


async def test_the_client_does_not_wait_for_it() -> None:
    mirrored = Mirrored(answer(), answer())
    mirrored.v2.gate.clear()
    assert (await mirrored.send()).status == 200
    assert (mirrored.results, repr(mirrored.mirror)) == ([], "<Mirror of v1 at v2, 1 copies under way>")
    mirrored.v2.gate.set()
    for _ in range(5):
        await turn()
    assert (mirrored.results, mirrored.mirror.id) == (["same"], "v1")


async def test_a_copy_may_be_answered_first_and_what_fails_is_not_compared() -> None:
    mirrored = Mirrored(GatewayError(UPSTREAM_REFUSED), answer())
    with pytest.raises(GatewayError):
        await mirrored.send()
    for _ in range(5):
        await turn()
    assert mirrored.results == ["sent"]


async def test_nothing_is_compared_unless_it_is_asked_for() -> None:
    rest = Closing()
    mirrored = Mirrored(answer(), answer(b"x", 500, rest), compare=False)
    await mirrored.send()
    assert (mirrored.results, rest.closed) == (["sent"], True)


async def test_what_is_not_copied() -> None:
    streamed, handshake = call(b"PUT", Pieces(b"x", length=1)), call()
    handshake.upgrade_mask = b"abcd"
    for sent, share in ((streamed, 1.0), (handshake, 1.0), (call(), 0.5)):
        mirrored = Mirrored(answer(), answer(), share)
        await mirrored.send(sent)
        assert (len(mirrored.v1.calls), mirrored.v2.calls, mirrored.results) == (1, [], [])


async def test_copies_under_way_are_bounded() -> None:
    mirrored = Mirrored(answer(), answer())
    mirrored.v2.gate.clear()
    for _ in range(MOST_COPIES + 2):
        await mirrored.mirror.send(call())
    assert mirrored.results == ["skipped"] * 2
    mirrored.v2.gate.set()
    for _ in range(5):
        await turn()
    assert len(mirrored.v2.calls) == MOST_COPIES


def test_one_that_keeps_nothing() -> None:
    log = MirrorLog.silent()
    log.count("orders", "same")
    log.keep("orders", call(), ("v1", "v2"), (200, 500), [])
    assert [each.at for each in log.mismatches] == [0.0]
