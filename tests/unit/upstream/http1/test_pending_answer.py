"""upstream/http1/pending_answer.py: what becomes of a call whose answer is awaited."""

import asyncio
import gc
from collections.abc import Awaitable

import pytest

from gateway.kernel.faults import UPSTREAM_RESET, GatewayError
from gateway.upstream.call import Answer, Call
from gateway.upstream.http1.pending_answer import PendingAnswer
from tests.unit.upstream.calls import call

ANSWER = Answer(200, [], b"{}", None, 2, "t:80")


class Connection:
    """Records that a call was given up, and has `second` to offer in its place."""

    def __init__(self, second: Awaitable[Answer] | None = None) -> None:
        self.seen: list[PendingAnswer] = []
        self._second = second

    def given_up(self, pending: PendingAnswer) -> None:
        self.seen.append(pending)

    def send_again(self, pending: PendingAnswer) -> Awaitable[Answer] | None:
        self.seen.append(pending)
        return self._second


async def awaited(pending: PendingAnswer) -> Answer:
    return await pending


def failure() -> GatewayError:
    return GatewayError(UPSTREAM_RESET, cause="gone")


def sent(connection: Connection, body: bytes = b"") -> tuple[PendingAnswer, Call]:
    made = call(b"PUT", body)
    return PendingAnswer(made, connection, 0.0), made


@pytest.mark.parametrize("early", [False, True])
async def test_a_body_that_was_answered_is_kept_no_longer(*, early: bool) -> None:
    pending, made = sent(Connection(), b"body")
    if early:
        pending.set_result(ANSWER)
    waiting = asyncio.create_task(awaited(pending))
    await asyncio.sleep(0)
    if not early:
        pending.set_result(ANSWER)
    assert await waiting is ANSWER
    assert made.body == b""


@pytest.mark.parametrize("when", ["before the answer", "behind the answer"])
async def test_whoever_is_cancelled_gives_the_call_up(when: str) -> None:
    connection = Connection()
    pending, made = sent(connection, b"body")
    waiting = asyncio.create_task(awaited(pending))
    await asyncio.sleep(0)
    if when == "behind the answer":
        pending.set_result(ANSWER)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert set(map(id, connection.seen)) == {id(pending)}
    assert made.body == b"body"


def test_cancelling_gives_up_what_is_not_answered_yet() -> None:
    connection = Connection()
    pending, _ = sent(connection)
    assert [pending.cancel(), pending.cancel()] == [True, False]
    assert connection.seen == [pending]


async def test_a_failure_is_raised_when_the_call_may_not_be_sent_again() -> None:
    connection = Connection()
    pending, made = sent(connection, b"body")
    pending.set_exception(failure())
    with pytest.raises(GatewayError):
        await pending
    assert (connection.seen, made.body) == ([pending], b"body")


async def test_the_answer_of_a_second_attempt_takes_the_place_of_a_failure() -> None:
    second = PendingAnswer(call(), Connection(), 0.0)
    second.set_result(ANSWER)
    pending, made = sent(Connection(second), b"body")
    pending.set_exception(failure())
    assert await pending is ANSWER
    assert made.body == b""


def test_it_is_known_to_the_garbage_collector() -> None:
    assert gc.is_tracked(sent(Connection())[0])
