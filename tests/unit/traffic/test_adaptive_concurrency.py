"""traffic/adaptive_concurrency.py: who waits, how long, and who is refused."""

import asyncio
import time

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_SATURATED, UPSTREAM_TIMEOUT, GatewayError
from gateway.kernel.traffic.concurrency_limit import ConcurrencyLimit, LimitBounds
from gateway.net.coroutine_driver import CoroutineDriver
from gateway.traffic.adaptive_concurrency import AdaptiveConcurrency
from gateway.upstream.call import Answer, Call
from gateway.upstream.target import Target
from tests.fakes import turn, until
from tests.unit.upstream.calls import call


class Gated(Target):
    """A target whose calls end when the test says so. `order` are the paths of its calls."""

    def __init__(self) -> None:
        super().__init__(
            "orders",
            "http://127.0.0.1:1",
            max_connections=1,
            max_pending=1,
            idle_timeout_s=1.0,
            context=None,
            server_name=None,
            clock=Clock(time.monotonic, time.time),
        )
        self.order: list[bytes] = []
        self.ends: list[asyncio.Future[None]] = []

    async def send(self, call: Call, first: bytes | None = None) -> Answer:
        self.order.append(call.path)
        end = asyncio.get_running_loop().create_future()
        self.ends.append(end)
        await end
        return Answer(200, [], b"{}", None, 2, "t")


class Shed:
    def __init__(self) -> None:
        self.priorities: list[int] = []

    def shed(self, priority: int) -> None:
        self.priorities.append(priority)


class Bounded:
    """At most two calls at once."""

    def __init__(self, max_wait_s: float = 5.0) -> None:
        self.target, self.observer = Gated(), Shed()
        self.limit = ConcurrencyLimit(LimitBounds(2, 2))
        clock = Clock(time.monotonic, time.time)
        self.upstream = AdaptiveConcurrency(self.target, self.limit, max_wait_s, self.observer, clock)

    async def start(self, *names: str, priority: int = 0) -> list[asyncio.Task[Answer]]:
        """Send a call of each name, and return when they are under way or wait."""
        tasks = []
        for name in names:
            sent = call()
            sent.path, sent.priority = name.encode(), priority
            tasks.append(asyncio.create_task(self.upstream.send(sent)))
        for _ in range(3):
            await turn()
        return tasks

    async def end(self, number: int) -> None:
        self.target.ends[number].set_result(None)
        for _ in range(4):
            await turn()


@pytest.fixture
def bounded() -> Bounded:
    return Bounded()


async def test_calls_beyond_the_limit_wait_for_others_to_end(bounded: Bounded) -> None:
    tasks = await bounded.start("a", "b", "c", "d")
    upstream = bounded.upstream
    assert (upstream.in_flight, upstream.waiting, upstream.pending, bounded.target.order) == (2, 2, 2, [b"a", b"b"])
    assert repr(upstream).startswith("<AdaptiveConcurrency 2 of 2, 2 waiting, before <Target orders")
    await bounded.end(1)
    assert bounded.target.order == [b"a", b"b", b"c"]
    for number in (0, 2, 3):
        await bounded.end(number)
    assert [answer.status for answer in await asyncio.gather(*tasks)] == [200] * 4
    assert (upstream.in_flight, upstream.waiting) == (0, 0)


async def test_calls_that_run_without_a_task_wait_like_others(bounded: Bounded) -> None:
    tasks = await bounded.start("a", "b")
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[BaseException | None] = loop.create_future()
    driver = CoroutineDriver(loop, always_in_task=False)
    loop.call_soon(driver.run, bounded.upstream.send(call()), ended.set_result)
    await until(lambda: bounded.upstream.waiting == 1)
    for number in range(3):
        await bounded.end(number)
    assert await ended is None
    await asyncio.gather(*tasks)


async def test_a_higher_priority_goes_first(bounded: Bounded) -> None:
    tasks = await bounded.start("a", "b")
    tasks += await bounded.start("low", priority=-1)
    tasks += await bounded.start("ordinary")
    tasks += await bounded.start("high", priority=5)
    for number in range(5):
        await bounded.end(number)
    await asyncio.gather(*tasks)
    assert bounded.target.order == [b"a", b"b", b"high", b"ordinary", b"low"]


async def test_a_call_that_was_given_up_takes_nobodys_turn(bounded: Bounded) -> None:
    tasks = await bounded.start("a", "b", "c", "d")
    tasks[2].cancel()
    for _ in range(3):
        await turn()
    assert bounded.upstream.waiting == 1
    await bounded.end(0)
    assert bounded.target.order == [b"a", b"b", b"d"]
    tasks[3].cancel()
    for number in (1,):
        await bounded.end(number)
    await asyncio.wait(tasks)
    assert bounded.upstream.in_flight == 0


async def test_a_turn_that_comes_as_the_client_leaves_is_passed_on(bounded: Bounded) -> None:
    tasks = await bounded.start("a", "b", "c", "d")
    bounded.target.ends[0].set_result(None)
    asyncio.get_running_loop().call_soon(tasks[2].cancel)  # runs after the end of the first call
    await bounded.end(1)
    assert b"d" in bounded.target.order
    for end in bounded.target.ends:
        if not end.done():
            end.set_result(None)
    await asyncio.wait(tasks)
    assert bounded.upstream.in_flight == 0


async def test_nobody_waits_longer_than_that() -> None:
    bounded = Bounded(max_wait_s=0.02)
    tasks = await bounded.start("a", "b", "c", priority=3)
    with pytest.raises(GatewayError) as refused:
        await tasks[2]
    assert (refused.value.fault, refused.value.retry_after_s) == (UPSTREAM_SATURATED, 1)
    assert bounded.observer.priorities == [3]
    for number in (0, 1):
        await bounded.end(number)
    assert (bounded.upstream.in_flight, bounded.upstream.waiting) == (0, 0)
    await asyncio.gather(*tasks[:2])


async def test_a_call_that_would_wait_too_long_is_refused_at_once(bounded: Bounded) -> None:
    for _ in range(30):
        bounded.limit.done(0.0, 4.0, 2)
    tasks = await bounded.start("a", "b", "c", "d", "e")
    assert tasks[4].done()
    error = tasks[4].exception()
    assert isinstance(error, GatewayError)
    assert (error.fault, error.retry_after_s) == (UPSTREAM_SATURATED, 6)
    high = await bounded.start("high", priority=1)
    assert not high[0].done()
    for number in range(5):
        await bounded.end(number)
    await asyncio.gather(*tasks[:4], *high)


async def test_those_that_have_given_up_are_forgotten(bounded: Bounded) -> None:
    tasks = await bounded.start("a", "b")
    for _ in range(100):
        (leaving,) = await bounded.start("x")
        leaving.cancel()
        await asyncio.wait([leaving])
    assert len(bounded.upstream._queue) < 80
    tasks += await bounded.start("c")
    for number in range(3):
        await bounded.end(number)
    await asyncio.gather(*tasks)


async def test_time_outs_count_as_slow_calls_and_other_failures_do_not() -> None:
    bounded = Bounded()
    for error, mean_s in ((GatewayError(UPSTREAM_SATURATED), 0.0), (GatewayError(UPSTREAM_TIMEOUT), None)):
        for _ in range(30):
            tasks = await bounded.start("a")
            bounded.target.ends[-1].set_exception(error)
            await asyncio.wait(tasks)
            assert tasks[0].exception() is error
        assert bounded.limit.mean_s == mean_s if mean_s is not None else bounded.limit.mean_s > 0


async def test_the_rest_is_that_of_what_is_behind(bounded: Bounded) -> None:
    upstream, target = bounded.upstream, bounded.target
    assert (upstream.id, upstream.targets, upstream.idle, upstream.active) == ("orders", (target,), 0, 0)
    assert (upstream.most_tries, upstream.limit) == (1, 2)
    await upstream.close()
    assert "the upstream is closed" in repr(target._closed_error().cause)
