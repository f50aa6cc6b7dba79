"""Which answers are checked, when, and what is remembered of them."""

import asyncio
import threading
from typing import Any

import msgspec
from structlog.testing import capture_logs

from gateway.openapi.drift.reply_contract import DescribedReply, ReplyCheck, ReplyContract
from gateway.openapi.drift.watch import INLINE_BYTES, MOST_OF_A_ROUTE, MOST_WAITING, MOST_WAITING_BYTES, DriftWatch
from gateway.openapi.validator import Validator
from gateway.upstream.call import Answer
from tests.unit.upstream.calls import call

SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}, "tags": {"properties": {"id": {}}, "additionalProperties": False}},
}
CONTRACT = ReplyContract(
    frozenset({b"GET"}),
    {"200": DescribedReply((), {"application/json": Validator(SCHEMA, {})})},
    frozenset({"id", "tags"}),
    adopts=True,
    most_bytes=1 << 20,
)


class Watched:
    """A watch, with what it has counted. Its clock counts how often it was asked."""

    def __init__(self, contract: ReplyContract = CONTRACT) -> None:
        self.checked: list[str] = []
        self.found: list[str] = []
        self.now = 0.0
        self.watch = DriftWatch(
            lambda route, result: self.checked.append(f"{route} {result}"),
            lambda route, kind: self.found.append(f"{route} {kind}"),
            self.wall,
            "X-Request-Id",
        )
        self.take = self.watch.taker("pets", contract)

    def wall(self) -> float:
        self.now += 1
        return self.now

    def answer(
        self, body: bytes, request_id: str = "a", method: bytes = b"GET", stream: Any = None, coding: bytes = b""
    ) -> None:
        head = (f"Host: a\r\nX-Request-Id: {request_id}\r\nX-Other: b\r\n".encode(),)
        fields = [(b"content-type", b"application/json")] + ([(b"content-encoding", coding)] if coding else [])
        answer = Answer(200, fields, body, stream, None, "10.0.0.1:80")
        self.take(msgspec.structs.replace(call(), method=method, head=head), answer)

    async def done(self) -> None:
        async with asyncio.timeout(10):
            while self.watch._work is not None:
                await asyncio.wait([self.watch._work])


async def test_no_check_before_others_had_their_turn() -> None:
    watched = Watched()
    watched.answer(b'{"id": 1}')
    for _ in range(5):
        await asyncio.sleep(0)
    assert (watched.checked, repr(watched.watch)) == ([], "<DriftWatch 1 waiting, 0 differences>")
    await watched.done()
    assert (watched.checked, watched.found, watched.watch.records()) == (["pets as_described"], [], [])


async def test_a_difference_is_logged_once_and_counted_each_time() -> None:
    watched = Watched()
    with capture_logs() as lines:
        watched.answer(b'{"id": "a", "tags": {"x": 1, "y": 2}}', "r1")
        watched.answer(b'{"id": null}', "r2")
        await watched.done()
        watched.answer(b"{}", "r3")
        await watched.done()
    assert watched.checked == ["pets drift"] * 3
    assert watched.found == ["pets type", "pets unknown_field", "pets type", "pets missing"]
    assert [(line["at"], line["kind"], line["request_id"]) for line in lines] == [
        ("/id", "type", "r1"),
        ("/tags/x", "unknown_field", "r1"),
        ("/tags/y", "unknown_field", "r1"),
        ("/id", "missing", "r3"),
    ]
    newest, *_, first = watched.watch.records()
    assert (newest.kind, newest.at, newest.request_id) == ("missing", "/id", "r3")
    shown = next(each for each in watched.watch.records() if each.kind == "type")
    assert (shown.times, shown.first, shown.last, shown.request_id, shown.target) == (2, 1.0, 4.0, "r2", "10.0.0.1:80")
    assert shown.text == "This must be a whole number, and is null."
    assert first.last < newest.last


async def test_large_and_partial_answers_and_other_methods() -> None:
    watched = Watched()
    watched.answer(b'{"id": 1, "text": "%b"}' % (b"x" * INLINE_BYTES))
    watched.answer(b"", stream=object())
    watched.answer(b"[]", method=b"POST")
    await watched.done()
    assert watched.checked == ["pets as_described", "pets partial"]


async def test_what_does_not_fit_is_dropped() -> None:
    watched = Watched()
    for _ in range(MOST_WAITING + 2):
        watched.answer(b'{"id": 1}')
    assert watched.checked == ["pets dropped"] * 2
    await watched.done()
    assert len(watched.checked) == MOST_WAITING + 2
    watched.checked.clear()
    watched.answer(b"[]" + b" " * (MOST_WAITING_BYTES - 2))
    watched.answer(b"[]")
    assert watched.checked == ["pets dropped"]
    await watched.done()
    watched.answer(b'{"id": 2}')
    await watched.done()
    assert watched.checked == ["pets dropped", "pets drift", "pets as_described"]


async def test_what_is_remembered_is_bounded() -> None:
    watched = Watched()
    with capture_logs() as lines:
        for number in range(MOST_OF_A_ROUTE + 9):
            watched.answer(b'{"id": 1, "tags": {"%d": 1}}' % number)
        await watched.done()
    assert len(lines) == len(watched.watch.records()) == MOST_OF_A_ROUTE
    assert watched.found == ["pets unknown_field"] * (MOST_OF_A_ROUTE + 9)


class Seeing(ReplyContract, frozen=True):
    """Finds nothing, and says in which thread."""

    def check(self, method: bytes, status: int, fields: Any, body: bytes | None) -> ReplyCheck:
        seen.append(threading.current_thread() is threading.main_thread())
        return ReplyCheck([])


seen: list[bool] = []


async def test_only_what_is_small_is_checked_on_the_event_loop() -> None:
    watched = Watched(Seeing(frozenset({b"GET"}), {}, frozenset(), adopts=True, most_bytes=1))
    watched.answer(b"x" * INLINE_BYTES)
    watched.answer(b"x" * (INLINE_BYTES + 1))
    watched.answer(b"x", coding=b"gzip")
    await watched.done()
    assert seen == [True, False, False]


class Broken(ReplyContract, frozen=True):
    """Has a bug."""

    def check(self, method: bytes, status: int, fields: Any, body: bytes | None) -> ReplyCheck:
        raise KeyError("bug")


async def test_a_bug_ends_one_check_only() -> None:
    watched = Watched(Broken(frozenset({b"GET"}), {}, frozenset(), adopts=True, most_bytes=1))
    watched.answer(b"{}", "r1")
    with capture_logs() as lines:
        await watched.done()
    (line,) = lines
    assert (line["event"], line["request_id"], repr(line["exc_info"])) == ("bug", "r1", "KeyError('bug')")
    assert (watched.checked, repr(watched.watch)) == ([], "<DriftWatch 0 waiting, 0 differences>")
