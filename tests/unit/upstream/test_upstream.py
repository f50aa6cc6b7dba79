"""upstream/upstream.py: which of several targets is called, and which one after a failure."""

import asyncio
import random
import socket
import time
from typing import Any

import pytest

from gateway.kernel.faults import (
    UPSTREAM_INCOMPLETE,
    UPSTREAM_REFUSED,
    UPSTREAM_RESET,
    UPSTREAM_TIMEOUT,
    UPSTREAM_UNREACHABLE,
    GatewayError,
)
from gateway.upstream.call import Answer
from tests.fakes import End, RawBackend, reply, script, turn, until
from tests.samples import Pieces
from tests.unit.upstream.calls import RecordingObserver, RetryCounter, Several, call, fails, rest, streamed


@pytest.fixture
def nobody() -> str:
    """A URL where connections are refused."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


async def test_all_get_calls(several: Several) -> None:
    async with RawBackend() as one, RawBackend() as other:
        upstream = several(one.url, other.url, chance=random.Random(3).random)
        for _ in range(40):
            await upstream.send(call())
        assert min(len(one.requests), len(other.requests)) > 10
        assert (upstream.idle, upstream.active, upstream.pending) == (2, 0, 0)
        assert repr(upstream) == "<Upstream orders 2 targets, 0 active, 0 pending>"


async def test_each_is_called_by_its_own_name_and_path(several: Several) -> None:
    drawn = iter((0.0, 0.0, 0.9, 0.9))
    async with RawBackend() as one, RawBackend() as other:
        upstream = several(f"{one.url}/a", f"{other.url}/b/", chance=drawn.__next__)
        for _ in range(2):
            sent = call()
            sent.host = b""
            await upstream.send(sent)
        assert one.requests[0].head == b"GET /a/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % one.port
        assert other.requests[0].head == b"GET /b/x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % other.port


async def test_the_less_busy_target_is_called(several: Several) -> None:
    drawn = iter((0.0, 0.0, 0.0, 0.9))
    gate = asyncio.Event()
    async with RawBackend(script(gate, reply())) as one, RawBackend() as other:
        upstream = several(one.url, other.url, chance=drawn.__next__)
        busy = asyncio.ensure_future(upstream.send(call()))
        await until(lambda: len(one.requests) == 1)
        await upstream.send(call())
        assert len(other.requests) == 1
        gate.set()
        await busy


BROKEN_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"


class TestElsewhere:
    @pytest.mark.parametrize(
        "sent", [call(), call(b"POST", b"x"), call(b"POST", b"x" * 200_000)], ids=["GET", "POST", "large POST"]
    )
    async def test_a_call_that_was_not_sent(self, several: Several, nobody: str, sent: Any) -> None:
        retries, body = RetryCounter(), sent.body
        async with RawBackend() as other:
            answer = await several(nobody, other.url, observer=retries).send(sent)
            assert (answer.status, answer.target) == (200, f"127.0.0.1:{other.port}")
            assert other.requests[0].body == body
            assert retries.count == 1

    async def test_a_streamed_body_is_sent_whole(self, several: Several, nobody: str) -> None:
        async with RawBackend() as other:
            sent = call(b"POST", Pieces(b"abc", b"def", length=6))
            assert (await several(nobody, other.url).send(sent)).status == 200
            assert other.requests[0].body == b"abcdef"

    async def test_a_call_that_may_be_sent_twice(self, several: Several) -> None:
        async with RawBackend(script(End.RESET)) as one, RawBackend() as other:
            assert (await several(one.url, other.url).send(call())).status == 200
            assert (len(one.requests), len(other.requests)) == (1, 1)

    @pytest.mark.parametrize("end", [End.RESET, End.CLOSE])
    @pytest.mark.parametrize("method", [b"GET", b"OPTIONS"])
    @pytest.mark.parametrize(
        "begun",
        [
            BROKEN_OFF,
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        ],
        ids=["body", "head", "chunks"],
    )
    async def test_a_reading_call_whose_reply_broke_off(
        self, several: Several, begun: bytes, method: bytes, end: End
    ) -> None:
        retries = RetryCounter()
        async with RawBackend(script(begun, end)) as one, RawBackend() as other:
            answer = await several(one.url, other.url, observer=retries).send(call(method))
            assert (answer.status, answer.body, answer.stream) == (200, b"{}", None)
            assert (len(one.requests), len(other.requests), retries.count) == (1, 1, 1)

    async def test_three_break_off(self, several: Several) -> None:
        async with RawBackend(default=script(BROKEN_OFF, End.RESET)) as bad:
            assert (await fails(several(*[bad.url] * 5), call())).fault is UPSTREAM_INCOMPLETE
            assert len(bad.requests) == 3

    async def test_not_after_a_part_was_passed_on(self, several: Several) -> None:
        async with RawBackend(script(BROKEN_OFF, End.RESET)) as one, RawBackend() as other:
            answer = await several(one.url, other.url).send(call(buffer_bytes=0))
            with pytest.raises(GatewayError, match=UPSTREAM_INCOMPLETE.name):
                await rest(streamed(answer))
            assert not other.requests

    @pytest.mark.parametrize(
        ("played", "sent", "fault"),
        [
            (script(End.RESET), lambda: call(b"POST", b"x"), UPSTREAM_RESET),
            (script(End.RESET, early=True), lambda: call(b"PUT", Pieces(b"x", length=1)), UPSTREAM_RESET),
            (script(BROKEN_OFF, End.RESET), lambda: call(b"DELETE"), UPSTREAM_INCOMPLETE),
            (script(BROKEN_OFF, End.RESET), lambda: call(b"PUT", b"x"), UPSTREAM_INCOMPLETE),
            (script(BROKEN_OFF, End.RESET), lambda: call(b"GET", b"x"), UPSTREAM_INCOMPLETE),
            (script(BROKEN_OFF, End.CLOSE), lambda: call(b"POST", b"x"), UPSTREAM_INCOMPLETE),
            (script(BROKEN_OFF, End.NEVER), lambda: call(total_s=0.05), UPSTREAM_TIMEOUT),
            (script(End.NEVER), lambda: call(first_byte_s=0.05), UPSTREAM_TIMEOUT),
            (script(End.NEVER), lambda: call(total_s=0.05), UPSTREAM_TIMEOUT),
        ],
        ids=[
            *("not idempotent", "a body that is gone"),
            *(
                "begun to answer: DELETE",
                "begun to answer: PUT",
                "begun to answer: GET with a body",
                "begun to answer: POST",
            ),
            *("no end of the answer", "no answer in time", "no end in time"),
        ],
    )
    async def test_never(self, several: Several, played: Any, sent: Any, fault: object) -> None:
        async with RawBackend(played) as one, RawBackend() as other:
            assert (await fails(several(one.url, other.url), sent())).fault is fault
            assert not other.requests

    async def test_not_when_its_time_is_up(self, several: Several) -> None:
        readings = iter((100.0, 105.0))
        async with RawBackend(script(End.RESET)) as one, RawBackend() as other:
            upstream = several(one.url, other.url, monotonic=readings.__next__)
            assert (await fails(upstream, call(total_s=5.0))).fault is UPSTREAM_RESET
            assert not other.requests

    async def test_a_saturated_target_is_skipped(self, several: Several) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, reply())) as one, RawBackend() as other:
            upstream = several(one.url, other.url, max_connections=1, max_pending=0)
            busy = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(one.requests) == 1)
            assert (await upstream.send(call(b"POST", b"x"))).target == f"127.0.0.1:{other.port}"
            gate.set()
            await busy

    async def test_the_last_fault_is_raised(self, several: Several, nobody: str) -> None:
        gate = asyncio.Event()
        async with RawBackend(script(gate, reply())) as full:
            upstream = several(full.url, nobody, max_connections=1, max_pending=0)
            busy = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(full.requests) == 1)
            with pytest.raises(Exception, match="upstream_saturated"):
                await upstream.send(call())
            gate.set()
            await busy

    async def test_three_are_tried(self, several: Several, nobody: str) -> None:
        retries = RetryCounter()
        assert (await fails(several(*[nobody] * 5, observer=retries), call())).fault is UPSTREAM_REFUSED
        assert retries.count == 2

    async def test_all_tries_have_the_time_of_one_to_connect(self, several: Several) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            address = full.getsockname()
            fillers = [socket.socket() for _ in range(3)]
            for filler in fillers:
                filler.settimeout(0)
                filler.connect_ex(address)
            began = time.monotonic()
            await fails(several(*[f"http://127.0.0.1:{address[1]}"] * 4), call(connect_s=0.2))
            assert 0.18 < time.monotonic() - began < 0.6
            for filler in fillers:
                filler.close()


async def test_close(several: Several) -> None:
    async with RawBackend(script(End.NEVER)) as one, RawBackend() as other:
        upstream = several(one.url, other.url)
        sending: asyncio.Future[Answer] = asyncio.ensure_future(upstream.send(call()))
        await until(lambda: len(one.requests) == 1)
        await upstream.close()
        with pytest.raises(Exception, match=UPSTREAM_UNREACHABLE.name):
            await sending
        assert not other.requests
        assert (await fails(upstream, call())).fault is UPSTREAM_UNREACHABLE


class TestEjected:
    async def test_is_not_called(self, several: Several, nobody: str) -> None:
        observer, retries = RecordingObserver(), RetryCounter()
        async with RawBackend() as other:
            upstream = several(nobody, other.url, failures=2, ejections=observer, observer=retries)
            for _ in range(5):
                await upstream.send(call())
            assert observer.events == ["0 ejected: upstream_refused"]
            assert retries.count == 2

    async def test_is_called_rather_than_nobody(self, several: Several, nobody: str) -> None:
        observer, retries = RecordingObserver(), RetryCounter()
        upstream = several(nobody, nobody, failures=1, ejections=observer, observer=retries)
        for _ in range(3):
            assert (await fails(upstream, call())).fault is UPSTREAM_REFUSED
        assert observer.events == ["0 ejected: upstream_refused"]
        assert retries.count == 3


class TestOnProbation:
    """A target whose ejection is over at once."""

    async def test_one_call_is_the_trial_while_others_go_elsewhere(self, several: Several) -> None:
        gate, observer = asyncio.Event(), RecordingObserver()
        async with RawBackend(script(End.CLOSE), script(gate, reply())) as ill, RawBackend() as well:
            upstream = several(ill.url, well.url, failures=1, ejections=observer, ejected_s=0.0)
            await upstream.send(call())
            trial = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(ill.requests) == 2)
            for _ in range(20):
                assert (await upstream.send(call())).target == f"127.0.0.1:{well.port}"
            assert len(ill.requests) == 2
            gate.set()
            assert (await trial).target == f"127.0.0.1:{ill.port}"
            assert observer.events == ["0 ejected: upstream_reset", "0 returned"]
            assert (await upstream.send(call())).target == f"127.0.0.1:{ill.port}"

    async def test_after_a_cancelled_trial_the_next_call_is_one(self, several: Several) -> None:
        async with RawBackend(script(End.CLOSE), script(End.NEVER)) as ill, RawBackend() as well:
            upstream = several(ill.url, well.url, failures=1, ejected_s=0.0)
            await upstream.send(call())
            trial = asyncio.ensure_future(upstream.send(call()))
            await until(lambda: len(ill.requests) == 2)
            trial.cancel()
            await asyncio.wait([trial])
            assert (await upstream.send(call())).target == f"127.0.0.1:{ill.port}"

    async def test_a_target_that_answers_errors_quickly_attracts_no_calls(self, several: Several) -> None:
        """Of two, one takes its time: the other one is never busy."""

        async def slowly(writer: asyncio.StreamWriter) -> None:
            for _ in range(20):
                await turn()
            writer.write(reply())

        error = script(reply(status=b"500 Internal Server Error"))
        async with RawBackend(default=error) as quick, RawBackend(default=script(slowly)) as slow:
            upstream = several(quick.url, slow.url, chance=random.Random(5).random, max_connections=8)

            async def caller() -> None:
                for _ in range(50):
                    await upstream.send(call())

            await asyncio.gather(*[caller() for _ in range(8)])
            assert len(quick.requests) / 400 == pytest.approx(0.5, abs=0.08)
