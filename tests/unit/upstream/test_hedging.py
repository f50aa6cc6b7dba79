"""upstream/hedging.py: second attempts of calls whose target is slow."""

import asyncio
import contextlib
import time
from typing import Any

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_RESET, UPSTREAM_TIMEOUT
from gateway.kernel.traffic.retry import HedgeResult, RetryPolicy
from gateway.upstream.call import Answer
from gateway.upstream.hedging import HedgeRules, Hedging
from gateway.upstream.outlier_detection import EjectionRules, OutlierDetector
from gateway.upstream.shared_state import SharedState
from gateway.upstream.target import Target
from gateway.upstream.upstream import Upstream
from tests.fakes import End, RawBackend, reply, script, until
from tests.samples import Pieces
from tests.unit.upstream.calls import Make, RecordingObserver, RetryCounter, call, fails, streamed

HUNG = script(End.NEVER)
BUSY = reply(status=b"503 Service Unavailable")


async def _late(_: asyncio.StreamWriter) -> None:
    """Let a second attempt begin."""
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, later.set)
    await later.wait()


class Hedged:
    """Makes an Upstream of targets at some URLs, of which the first one is chosen, with second attempts."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self.results: list[HedgeResult] = []
        self.ejections = RecordingObserver()

    def hedged(self, result: HedgeResult) -> None:
        self.results.append(result)

    def __call__(
        self,
        *urls: str,
        after_s: float | None = 0.03,
        budget: float = 1.0,
        quantile: float = 0.5,
        failures: int = 5,
        **policy: Any,
    ) -> Upstream:
        row = SharedState({"orders": [f"{number} {url}" for number, url in enumerate(urls)]}).upstreams["orders"]
        clock = Clock(time.monotonic, time.time)
        rules = EjectionRules(failures, 60.0, 60.0, 50)
        weights = dict.fromkeys(range(len(urls)), 1)
        detector = OutlierDetector(row, weights, rules, self.ejections, 1, clock, lambda: 0.0)
        targets = [self._make(url) for url in urls]
        hedge = HedgeRules(frozenset({b"GET"}), after_s, quantile, budget)
        settings: dict[str, Any] = {"words": {"connection_terminated"}, "statuses": frozenset({503})} | policy
        self.hedging = Hedging(hedge, targets, detector, clock, lambda: 0.0, self)
        observer = RetryCounter()
        retry = RetryPolicy(**settings)
        return Upstream("orders", targets, detector, clock, lambda: 0.0, observer, policy=retry, hedging=self.hedging)


@pytest.fixture
def hedged(make: Make) -> Hedged:
    return Hedged(make)


async def test_the_answer_of_the_second_target_is_taken_and_the_first_one_is_left(hedged: Hedged) -> None:
    async with RawBackend(default=HUNG) as slow, RawBackend() as other:
        sent = call()
        assert (await hedged(slow.url, other.url).send(sent)).status == 200
        await slow.closed(0)
        assert (len(slow.requests), len(other.requests), hedged.results) == (1, 1, ["won"])
        assert (sent.hedge, sent.resends, sent.handed, sent.body) == ("won", 1, True, b"")
        assert [each.reason for each in sent.resent] == ["hedge"]


async def test_the_first_one_may_answer_first_all_the_same(hedged: Hedged) -> None:
    async with RawBackend(default=script(_late, reply())) as slow, RawBackend(default=HUNG) as other:
        upstream, sent = hedged(slow.url, other.url), call()
        assert (await upstream.send(sent)).status == 200
        await other.closed(0)
        assert (sent.hedge, hedged.results, upstream.active) == ("lost", ["lost"], 0)


async def test_a_target_in_time_has_the_only_attempt(hedged: Hedged) -> None:
    async with RawBackend() as one, RawBackend() as other:
        sent = call()
        upstream = hedged(one.url, other.url, after_s=5.0)
        assert (await upstream.send(sent)).status == 200
        assert (len(one.requests), len(other.requests), sent.hedge, hedged.results) == (1, 0, None, [])
        assert repr(hedged.hedging) == "<Hedging after 5.0 s>"


@pytest.mark.parametrize(("method", "body", "attempts"), [(b"PUT", b"", 3), (b"GET", None, 3), (b"GET", b"", 1)])
async def test_other_calls_wait(hedged: Hedged, method: bytes, body: bytes | None, attempts: int) -> None:
    """Those of other methods, with a body that is passed on while it arrives, and those that are sent once."""
    async with RawBackend(default=script(_late, reply())) as slow, RawBackend() as other:
        sent = call(method, Pieces(b"x", length=1) if body is None else body)
        assert (await hedged(slow.url, other.url, attempts=attempts).send(sent)).status == 200
        assert (len(other.requests), hedged.results) == (0, [])


async def test_the_budget_bounds_second_attempts(hedged: Hedged) -> None:
    async with RawBackend(default=script(_late, reply())) as slow, RawBackend(default=HUNG) as other:
        upstream = hedged(slow.url, other.url, budget=0.25)
        for _ in range(8):
            await upstream.send(call())
        assert hedged.results.count("refused") == 6
        assert hedged.results.count("lost") == len(other.requests) == 2


async def test_without_a_target_that_is_called_there_is_no_second_attempt(hedged: Hedged) -> None:
    async with RawBackend(default=script(_late, reply())) as slow, RawBackend(default=script(End.RESET)) as bad:
        upstream = hedged(bad.url, slow.url, failures=1)
        assert (await upstream.send(call())).status == 200
        assert hedged.ejections.events == ["0 ejected: upstream_reset"]
        assert (await upstream.send(call())).status == 200
        assert (len(bad.requests), hedged.results) == (1, [])


async def test_when_one_attempt_has_failed_the_other_one_is_waited_for(hedged: Hedged) -> None:
    late, failing = script(_late, reply()), script(End.RESET)
    async with RawBackend(default=late) as slow, RawBackend(default=failing) as other:
        upstream = hedged(slow.url, other.url, failures=1)
        assert (await upstream.send(call())).status == 200
        assert (hedged.results, hedged.ejections.events) == (["lost"], ["1 ejected: upstream_reset"])


async def test_when_both_have_failed_a_third_target_is_called(hedged: Hedged) -> None:
    late = script(_late, BUSY)
    async with RawBackend(default=late) as slow, RawBackend(default=late) as other, RawBackend() as third:
        sent = call()
        assert (await hedged(slow.url, other.url, third.url).send(sent)).status == 200
        assert (len(slow.requests), len(other.requests), len(third.requests)) == (1, 1, 1)
        assert (sent.hedge, sent.resends) == ("failed", 0)
        sent = call()
        one = hedged(slow.url, other.url, third.url, attempts=2)
        assert (await one.send(sent)).status == 503
        assert len(third.requests) == 1


async def test_a_target_that_hangs_is_found_by_what_overtakes_it(hedged: Hedged) -> None:
    async with RawBackend(default=HUNG) as hung, RawBackend() as other:
        upstream = hedged(hung.url, other.url, failures=3)
        began = time.monotonic()
        while not hedged.ejections.events:
            assert (await upstream.send(call())).status == 200
        assert hedged.ejections.events == ["0 ejected: upstream_timeout"]
        assert time.monotonic() - began >= 0.25


async def test_a_pause_ejects_no_target(hedged: Hedged) -> None:
    async with RawBackend(default=HUNG) as pausing, RawBackend() as other:
        upstream = hedged(pausing.url, other.url, failures=2)
        answers = await asyncio.gather(*[upstream.send(call()) for _ in range(4)])
        assert [answer.status for answer in answers] == [200] * 4
        assert ({*hedged.results}, hedged.ejections.events) == ({"won"}, [])


async def test_a_client_that_leaves_ends_both(hedged: Hedged) -> None:
    async with RawBackend(default=HUNG) as one, RawBackend(default=HUNG) as other:
        upstream = hedged(one.url, other.url)
        task = asyncio.create_task(upstream.send(call()))
        await until(lambda: len(other.requests) == 1)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await one.closed(0)
        await other.closed(0)
        await until(lambda: upstream.active == 0)


async def test_both_in_time_leave_nothing_open(hedged: Hedged) -> None:
    """Answers that come in the same turn, with bodies that go on: one is passed on, and the other one ends."""
    endless = script(_late, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", End.NEVER)
    async with RawBackend(default=endless) as one, RawBackend(default=endless) as other:
        upstream = hedged(one.url, other.url, after_s=0.001)
        answer = await upstream.send(call(buffer_bytes=0))
        assert isinstance(answer, Answer)
        streamed(answer).close()
        await one.closed(0)
        await other.closed(0)
        await until(lambda: upstream.active == 0)


async def test_it_waits_as_long_as_most_calls_take(hedged: Hedged) -> None:
    async with RawBackend(*[script(reply())] * 60, default=HUNG) as slow, RawBackend() as other:
        upstream = hedged(slow.url, other.url, after_s=None)
        for _ in range(60):
            assert (await upstream.send(call())).status == 200
        first = hedged.hedging.after_s
        assert first is not None
        assert 0.001 <= first < 0.5
        assert hedged.results.count("won") + len(slow.requests) >= 60
        hedged.results.clear()
        sent = call()
        while sent.hedge != "won":
            sent = call()
            assert (await upstream.send(sent)).status == 200


async def test_a_time_out_is_that_of_the_last_attempt(hedged: Hedged) -> None:
    async with RawBackend(default=HUNG) as one, RawBackend(default=HUNG) as other:
        upstream = hedged(one.url, other.url, attempts=2)
        assert (await fails(upstream, call(first_byte_s=0.1))).fault is UPSTREAM_TIMEOUT
        assert (len(one.requests), len(other.requests), hedged.results) == (1, 1, ["failed"])


async def test_a_failure_before_that_is_an_ordinary_one(hedged: Hedged) -> None:
    async with RawBackend(default=script(End.RESET)) as one, RawBackend(default=script(End.RESET)) as other:
        assert (await fails(hedged(one.url, other.url, attempts=2), call())).fault is UPSTREAM_RESET
        assert (len(one.requests), len(other.requests), hedged.results) == (1, 1, [])


class Together:
    """A target whose answers wait for an event, and have a stream that counts how often it was closed."""

    load = 0

    def __init__(self, go: asyncio.Event) -> None:
        self._go = go
        self.begun = self.closed = 0

    async def send(self, _call: Any, _first: bytes) -> Answer:
        self.begun += 1
        await self._go.wait()
        stream: Any = self
        return Answer(200, [], b"", stream, None, "t")

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("leaves", [False, True])
async def test_what_comes_at_the_same_time_is_taken_once_and_closed_otherwise(*, leaves: bool) -> None:
    go, counted = asyncio.Event(), Hedged(Target)
    row = SharedState({"orders": ["http://a", "http://b"]}).upstreams["orders"]
    clock = Clock(time.monotonic, time.time)
    rules = EjectionRules(5, 60.0, 60.0, 50)
    detector = OutlierDetector(row, {0: 1, 1: 1}, rules, counted.ejections, 1, clock, lambda: 0.0)
    targets: list[Any] = [Together(go), Together(go)]
    hedge = HedgeRules(frozenset({b"GET"}), 0.001, 0.5, 1.0)
    hedging = Hedging(hedge, targets, detector, clock, lambda: 0.0, counted)
    sent = call()
    task = asyncio.create_task(hedging.send(sent, 0, time.monotonic() + 5.0, RetryPolicy()))
    await until(lambda: targets[1].begun == 1)
    go.set()
    if leaves:
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert [target.closed for target in targets] == [1, 1]
    else:
        raced = await task
        assert (raced.number, raced.failed, [target.closed for target in targets]) == (0, [], [0, 1])
        assert (sent.hedge, detector.answers) == ("lost", {0: 0, 1: 1})


async def test_what_a_broken_connection_costs_counts_as_an_attempt(hedged: Hedged) -> None:
    """A connection that was kept has ended when the call comes, which is sent once more to the same target."""
    late = script(_late, reply())
    async with RawBackend(script(reply()), script(End.RESET), default=late) as slow, RawBackend() as other:
        upstream = hedged(slow.url, other.url, attempts=2)
        assert (await upstream.send(call())).status == 200
        sent = call()
        assert (await upstream.send(sent)).status == 200
        assert (len(slow.requests), len(other.requests)) == (3, 0)
        assert (sent.resends, hedged.results) == (0, [])


async def test_beside_a_second_attempt_the_first_one_is_not_sent_again(hedged: Hedged) -> None:
    ends_late, late = script(_late, End.RESET), script(_late, _late, reply())
    async with RawBackend(script(reply()), default=ends_late) as slow, RawBackend(default=late) as other:
        upstream = hedged(slow.url, other.url, attempts=2)
        for _ in range(2):
            assert (await upstream.send(call())).status == 200
        assert (len(slow.requests), len(other.requests), hedged.results) == (2, 1, ["won"])


async def test_failures_of_a_connection_and_of_its_call_are_counted_together(hedged: Hedged) -> None:
    async with RawBackend(script(reply()), default=script(End.RESET)) as one, RawBackend() as other:
        upstream = hedged(one.url, other.url, attempts=2, after_s=5.0)
        assert (await upstream.send(call())).status == 200
        assert (await fails(upstream, call())).fault is UPSTREAM_RESET
        assert (len(one.requests), len(other.requests)) == (3, 0)
