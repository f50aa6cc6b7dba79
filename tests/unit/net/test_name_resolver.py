"""net/name_resolver.py: a resolver with real threads, whose results change."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from gateway.kernel.clock import Clock
from gateway.net.name_memory import NameMemory
from gateway.net.name_resolver import GONE_S, LOST_S, MOST_THREADS, RECENT_S, NameResolver, is_literal, system_lookup
from tests.clocks import ManualClock
from tests.fakes import until

AWAY = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


class Resolver:
    """Returns the entry of `answers` for a name. Look-ups of `slow` names wait for `go`."""

    def __init__(self) -> None:
        self.answers: dict[str, list[str] | Exception] = {"orders": ["10.0.0.1"]}
        self.slow: set[str] = set()
        self.go = threading.Event()
        self.asked: list[str] = []
        self.at_work = self.most_at_work = 0

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            if host in self.slow:
                self.go.wait()
            answer = self.answers[host]
            if isinstance(answer, Exception):
                raise answer
            return [*answer]
        finally:
            self.at_work -= 1


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    made = Resolver()
    yield made
    made.go.set()


@pytest.fixture
def time_() -> ManualClock:
    return ManualClock()


@pytest.fixture
def names(resolver: Resolver, time_: ManualClock) -> Iterator[NameResolver]:
    """A resolver that renews names only when a test moves the clock and calls it."""
    made = NameResolver(time_.clock, None, resolver, fresh_s=1000.0)
    yield made
    made.close()


async def renewed(
    names: NameResolver, resolver: Resolver, time_: ManualClock, host: str = "orders", after_s: float = 1001.0
) -> None:
    """Wait until another look-up has begun and ended."""
    before = len(resolver.asked)
    time_.advance(after_s)
    names.refresh(host)
    await until(lambda: len(resolver.asked) > before and not names._threads)


async def test_concurrent_calls_share_one_lookup_and_later_calls_need_none(
    names: NameResolver, resolver: Resolver
) -> None:
    assert await asyncio.gather(*[names.addresses("orders") for _ in range(100)]) == [["10.0.0.1"]] * 100
    assert await names.addresses("orders") == ["10.0.0.1"]
    assert resolver.asked == ["orders"]


async def test_a_slow_name_delays_no_other_name_and_its_caller_may_give_up(
    names: NameResolver, resolver: Resolver
) -> None:
    resolver.slow = {f"slow{number}" for number in range(2 * MOST_THREADS - 1)}
    resolver.answers |= {host: ["10.0.0.9"] for host in resolver.slow}
    waiting = [asyncio.create_task(names.addresses(host)) for host in sorted(resolver.slow)[: MOST_THREADS - 1]]
    await until(lambda: resolver.at_work == MOST_THREADS - 1)
    assert await asyncio.wait_for(names.addresses("orders"), 5) == ["10.0.0.1"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(names.addresses(min(resolver.slow)), 0.05)
    waiting += [asyncio.create_task(names.addresses(host)) for host in sorted(resolver.slow)[MOST_THREADS - 1 :]]
    await until(lambda: resolver.at_work == MOST_THREADS)
    resolver.go.set()
    assert await asyncio.gather(*waiting) == [["10.0.0.9"]] * len(waiting)
    assert resolver.most_at_work == MOST_THREADS
    assert len(resolver.asked) == 1 + len(resolver.slow)
    assert repr(names) == f"<Names {1 + len(resolver.slow)} known, 0 being looked up>"


async def test_a_call_for_a_known_name_never_waits(names: NameResolver, resolver: Resolver, time_: ManualClock) -> None:
    await names.addresses("orders")
    resolver.slow, resolver.answers = {"orders"}, {"orders": ["10.0.0.2"]}
    time_.advance(1001)
    assert await names.addresses("orders") == ["10.0.0.1"]
    assert await names.addresses("orders") == ["10.0.0.1"]
    resolver.go.set()
    await until(lambda: not names._threads)
    assert await names.addresses("orders") == ["10.0.0.2"]
    assert resolver.asked == ["orders"] * 2


@pytest.mark.parametrize("why", [AWAY, OSError(5, "in words of the system"), KeyError("a bug"), []])
async def test_while_the_name_server_is_away_the_last_result_is_used(
    names: NameResolver, resolver: Resolver, time_: ManualClock, why: Exception | list[str]
) -> None:
    await names.addresses("orders")
    resolver.answers["orders"] = why
    for _ in range(3):
        await renewed(names, resolver, time_)
        assert await names.addresses("orders") == ["10.0.0.1"]
    resolver.answers["orders"] = ["10.0.0.2"]
    await renewed(names, resolver, time_)
    assert await names.addresses("orders") == ["10.0.0.2"]


async def test_a_name_that_no_longer_exists_is_used_a_little_longer(
    names: NameResolver, resolver: Resolver, time_: ManualClock
) -> None:
    notified: list[frozenset[str]] = []
    names.watch("orders", notified.append)
    await names.addresses("orders")
    resolver.answers["orders"] = NONE
    await renewed(names, resolver, time_)
    await renewed(names, resolver, time_, after_s=GONE_S - 1)
    assert (await names.addresses("orders"), notified) == (["10.0.0.1"], [])
    await renewed(names, resolver, time_, after_s=2.0)
    assert notified == [frozenset()]
    with pytest.raises(socket.gaierror, match="not known"):
        await names.addresses("orders")


async def test_failures_are_raised_and_tried_again_a_second_later(
    names: NameResolver, resolver: Resolver, time_: ManualClock
) -> None:
    resolver.answers["orders"] = NONE
    for _ in range(3):
        with pytest.raises(socket.gaierror, match="not known"):
            await names.addresses("orders")
    assert resolver.asked == ["orders"]
    resolver.answers["orders"] = ["10.0.0.3"]
    time_.advance(1.5)
    assert await names.addresses("orders") == ["10.0.0.3"]


async def test_an_address_has_vanished_when_it_was_missed_twice(
    names: NameResolver, resolver: Resolver, time_: ManualClock
) -> None:
    notified: list[frozenset[str]] = []
    names.watch("orders", notified.append)
    for found in (["a", "b"], ["a", "c"], ["b", "c"], ["c"]):
        resolver.answers["orders"] = found
        await (renewed(names, resolver, time_) if resolver.asked else names.addresses("orders"))
    assert notified == [frozenset({"b", "c"})]
    await renewed(names, resolver, time_)
    assert notified[1:] == [frozenset({"c"})]


async def test_names_in_use_are_renewed_without_a_call(resolver: Resolver) -> None:
    names = NameResolver(Clock(time.monotonic, time.time), None, resolver, fresh_s=0.02)
    names.watch("never called", lambda _: None)
    await names.addresses("orders")
    resolver.answers["orders"] = ["10.0.0.2"]
    await until(lambda: len(resolver.asked) > 4)
    assert set(resolver.asked) == {"orders"}
    assert await names.addresses("orders") == ["10.0.0.2"]
    names.close()


async def test_a_lookup_that_does_not_end_is_begun_anew(
    names: NameResolver, resolver: Resolver, time_: ManualClock
) -> None:
    resolver.slow = {"orders"}
    waiting = asyncio.create_task(names.addresses("orders"))
    await until(lambda: resolver.at_work == 1)
    names.refresh("orders")
    time_.advance(LOST_S - 1)
    names.refresh("orders")
    assert resolver.asked == ["orders"]
    resolver.slow = set()
    time_.advance(2)
    names.refresh("orders")
    assert await waiting == ["10.0.0.1"]
    resolver.answers["orders"] = AWAY  # what the lost one says comes too late
    resolver.go.set()
    await until(lambda: not names._threads)
    assert names._entries["orders"].failure is None


async def test_a_worker_begins_with_what_others_have_found(resolver: Resolver, time_: ManualClock) -> None:
    memory = NameMemory(["orders"])
    first = NameResolver(time_.clock, memory, resolver)
    await first.addresses("orders")
    resolver.answers["orders"] = AWAY
    second = NameResolver(time_.clock, memory, resolver)
    assert await second.addresses("orders") == ["10.0.0.1"]
    time_.advance(RECENT_S)
    third = NameResolver(time_.clock, memory, resolver)
    assert await third.addresses("orders") == ["10.0.0.1"]
    resolver.answers["orders"] = NONE
    fourth = NameResolver(time_.clock, memory, resolver)
    with pytest.raises(socket.gaierror):
        await fourth.addresses("orders")
    for each in (first, second, third, fourth):
        each.close()


async def test_a_recent_result_of_another_worker_needs_no_lookup(resolver: Resolver) -> None:
    memory, clock, other = NameMemory(["orders"]), Clock(time.monotonic, time.time), Resolver()
    names = NameResolver(clock, memory, resolver, fresh_s=0.2)
    await names.addresses("orders")
    other.answers["orders"] = ["10.0.0.7"]
    others = NameResolver(clock, memory, other, fresh_s=0.01)
    await others.addresses("orders")
    await until(lambda: names._entries["orders"].found == ["10.0.0.7"])
    assert resolver.asked == ["orders"]
    names.close()
    others.close()


async def test_a_thread_that_cannot_start_is_a_failed_lookup(names: NameResolver) -> None:
    before = threading.stack_size(1 << 46)
    try:
        with pytest.raises(OSError, match="thread"):
            await names.addresses("orders")
    finally:
        threading.stack_size(before)


@pytest.mark.parametrize("host", ["x" * 64, "a..b"])
async def test_an_invalid_name(host: str) -> None:
    names = NameResolver(Clock(time.monotonic, time.time))
    with pytest.raises(socket.gaierror):
        await names.addresses(host)
    names.close()


def test_the_system_resolver() -> None:
    assert "127.0.0.1" in system_lookup("localhost")
    assert [is_literal(host) for host in ("127.0.0.1", "::1", "localhost", "1.2.3")] == [True, True, False, False]
