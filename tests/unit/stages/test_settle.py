"""stages/settle.py: which calls have succeeded, and what they were."""

import asyncio
from collections.abc import Awaitable, Mapping
from gzip import compress
from typing import Any

import pytest

from gateway.exchange import Reply
from gateway.kernel.faults import (
    BODY_TOO_LARGE,
    MALFORMED_REQUEST,
    QUOTA_SPENT,
    REQUEST_TIMEOUT,
    SHUTTING_DOWN,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_TIMEOUT,
    Fault,
    GatewayError,
)
from gateway.kernel.limits.quota import AmountSource, Meter, Posting, Reservation
from gateway.stages.settle import conclude, settle
from gateway.upstream.call import Answer, Call
from tests.samples import Pieces, exchange, route

HEADER = Meter("h", "sum", 9, "key", QUOTA_SPENT, amount=AmountSource(header=b"x-bytes"))
FIELD = Meter("f", "sum", 9, "key", QUOTA_SPENT, amount=AmountSource(field=("bytes",)))
POSTINGS = (Posting("a", Meter("c", "count", 9, "key", QUOTA_SPENT)), Posting("h", HEADER), Posting("f", FIELD))
BOTH = [(b"x-bytes", b"5"), (b"content-type", b"application/json")]


class Books:
    """A reservation, and what was done with it."""

    def __init__(self, waits: Awaitable[None] | None = None, leaves: Awaitable[None] | None = None) -> None:
        self.calls: list[object] = []
        self.unmeasured: list[str] = []
        self.bugs: list[tuple[Exception, str]] = []
        self._waits = waits
        self._leaves = leaves
        self.reservation = Reservation(POSTINGS, self._settle, self._leave)

    def _settle(self, amounts: Mapping[str, int], *, succeeded: bool) -> Awaitable[None] | None:
        self.calls.append((succeeded, dict(amounts)))
        return self._waits

    def _leave(self) -> Awaitable[None] | None:
        self.calls.append("over")
        return self._leaves

    def report(self, bug: Exception, request_id: str) -> None:
        self.bugs.append((bug, request_id))

    async def settle(self, **changes: Any) -> None:
        await settle(exchange(route=route(), **changes), self.reservation, self.unmeasured.append)

    def conclude(self, **changes: Any) -> None:
        conclude(exchange(route=route(), **changes), self.reservation, self.unmeasured.append, self.report)


def answer(
    body: bytes = b'{"bytes":7}', stream: Pieces | None = None, fields: list[tuple[bytes, bytes]] = BOTH
) -> Answer:
    return Answer(200, fields, body, stream, None, "127.0.0.1:1")


def reply(status: int = 200, stream: Pieces | None = None) -> Reply:
    return Reply(status, [], b"", stream=stream)


@pytest.mark.parametrize(
    ("status", "succeeded"), [(200, True), (201, True), (304, True), (400, False), (404, False), (503, False)]
)
async def test_a_status_below_400_is_a_success(status: int, *, succeeded: bool) -> None:
    books = Books()
    await books.settle(answer=answer(), reply=reply(status))
    assert books.calls == [(succeeded, {"h": 5, "f": 7} if succeeded else {}), "over"]
    books.conclude(answer=answer(), reply=reply(status))
    assert len(books.calls) == 2
    assert books.unmeasured == []


async def test_what_others_have_to_see_is_waited_for() -> None:
    done, over = [asyncio.get_running_loop().create_future() for _ in range(2)]
    books = Books(done, over)
    settling = asyncio.ensure_future(books.settle(reply=reply(500)))
    for each in (done, over):
        await asyncio.sleep(0)
        assert (books.calls, settling.done()) == ([(False, {}), "over"], False)
        each.set_result(None)
    await settling


async def test_what_the_answer_does_not_say_counts_as_nothing_and_is_noticed() -> None:
    books = Books()
    await books.settle(answer=answer(b"[]", fields=[]), reply=reply())
    assert (books.calls, books.unmeasured) == ([(True, {}), "over"], ["h", "f"])


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("DELETE", 204)])
async def test_a_reply_that_cannot_have_a_body_need_not_say_anything_there(method: str, status: int) -> None:
    books, found = Books(), answer(b"")
    found.status = status
    await books.settle(method=method, answer=found, reply=reply(status))
    assert (books.calls, books.unmeasured) == ([(True, {"h": 5}), "over"], [])


async def test_a_coded_body_is_read_and_one_that_cannot_be_is_not() -> None:
    coded = [*BOTH, (b"content-encoding", b"gzip")]
    for body, amounts in ((compress(b'{"bytes":3}'), {"h": 5, "f": 3}), (b"no gzip", {"h": 5})):
        books = Books()
        await books.settle(answer=answer(body, fields=coded), reply=reply())
        assert books.calls == [(True, amounts), "over"]


@pytest.mark.parametrize(
    ("content_type", "body", "amounts"),
    [
        (b"application/json", b'\xef\xbb\xbf{"bytes":3}', {"h": 5, "f": 3}),
        (b"application/json; charset=utf-16", '{"bytes":3}'.encode("utf-16"), {"h": 5, "f": 3}),
        (b"application/json; charset=utf-16", b"{", {"h": 5}),
    ],
)
async def test_a_body_is_read_in_its_charset(content_type: bytes, body: bytes, amounts: dict[str, int]) -> None:
    books = Books()
    await books.settle(answer=answer(body, fields=[*BOTH, (b"content-type", content_type)]), reply=reply())
    assert books.calls == [(True, amounts), "over"]


async def test_a_streamed_reply_is_judged_at_its_end_and_by_its_head() -> None:
    for outcome, calls in (("answered", (True, {"h": 5})), ("abandoned", (True, {"h": 5})), ("cut", (False, {}))):
        books, stream = Books(), Pieces(b"x")
        await books.settle(answer=answer(stream=stream), reply=reply(stream=stream))
        assert books.calls == []
        books.conclude(answer=answer(stream=stream), reply=reply(stream=stream), outcome=outcome)
        assert books.calls == [calls, "over"]


@pytest.mark.parametrize(
    ("fault", "held_s", "charged"),
    [
        (UPSTREAM_INCOMPLETE, 0.0, False),
        (UPSTREAM_TIMEOUT, 4.9, False),
        (SHUTTING_DOWN, 0.0, False),
        (UPSTREAM_INCOMPLETE, 5.0, True),
        (UPSTREAM_TIMEOUT, 60.0, True),
        (SHUTTING_DOWN, 60.0, True),
        (MALFORMED_REQUEST, 0.0, True),
        (REQUEST_TIMEOUT, 0.0, True),
        (BODY_TOO_LARGE, 0.0, True),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_a_stream_that_breaks_off_costs_nothing_unless_the_client_brought_it_about(
    fault: Fault, held_s: float, *, charged: bool
) -> None:
    books, stream = Books(), Pieces(b"x")
    stream.held_s = held_s
    books.conclude(answer=answer(stream=stream), reply=reply(stream=stream), outcome="cut", error=GatewayError(fault))
    assert books.calls == [(charged, {"h": 5} if charged else {}), "over"]


def test_an_error_that_breaks_off_costs_nothing_whoever_brought_it_about() -> None:
    books, stream = Books(), Pieces(b"x")
    stream.held_s = 60.0
    books.conclude(
        answer=answer(stream=stream), reply=reply(500, stream), outcome="cut", error=GatewayError(UPSTREAM_TIMEOUT)
    )
    assert books.calls == [(False, {}), "over"]


def test_a_reply_that_is_cut_without_a_stream_costs_nothing() -> None:
    books = Books()
    books.conclude(reply=reply(), outcome="cut", error=GatewayError(SHUTTING_DOWN))
    assert books.calls == [(False, {}), "over"]


@pytest.mark.parametrize("handed", [None, False, True])
def test_who_leaves_early_pays_for_what_the_service_was_handed(*, handed: bool | None) -> None:
    """A call that still waits for a connection was not."""
    books, call = (
        Books(),
        None if handed is None else Call(b"GET", b"/", b"", (), b"", handed, 0, 1.0, 1.0, 1.0, 1.0, 1.0, handed),
    )
    books.conclude(call=call, upstream_s=0.1, outcome="abandoned")
    assert (books.calls, books.unmeasured) == ([(bool(handed), {}), "over"], [])


def test_the_call_is_over_even_if_its_amount_cannot_be_noticed() -> None:
    books = Books()

    def fail(quota: str) -> None:
        raise KeyError(quota)

    x = exchange(answer=answer(b"[]", fields=[]), reply=reply())
    conclude(x, books.reservation, fail, books.report)
    assert books.calls == ["over"]
    assert [(type(bug), request_id) for bug, request_id in books.bugs] == [(KeyError, x.request_id)]


async def test_nothing_is_settled_without_a_reply() -> None:
    books = Books()
    await books.settle()
    assert books.calls == []


async def test_a_repeated_reply_costs_nothing() -> None:
    books = Books()
    await books.settle(reply=reply(201), idempotency="replayed")
    assert books.calls == [(False, {}), "over"]
