"""upstream/upstream.py with a retry policy: how often a call is sent, when, and to which target."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_RESET, UPSTREAM_TIMEOUT, GatewayError
from gateway.kernel.traffic.retry import FAILOVER, RetryBudget, RetryPolicy, RetryRules
from gateway.upstream.outlier_detection import EjectionRules, OutlierDetector
from gateway.upstream.shared_state import SharedState
from gateway.upstream.upstream import Upstream
from tests.fakes import End, RawBackend, reply, script, until
from tests.samples import Pieces
from tests.unit.upstream.calls import Make, RecordingObserver, RetryCounter, call, fails

BUSY = reply(status=b"503 Service Unavailable")
ALL = FAILOVER | {"http_response_timeout"}


class Retrying:
    """Makes an Upstream of targets at some URLs, of which the first one is chosen while it may be."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self.observer, self.ejections = RetryCounter(), RecordingObserver()

    def __call__(
        self,
        *urls: str,
        budget: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        failures: int = 5,
        **policy: Any,
    ) -> Upstream:
        row = SharedState({"orders": [f"{number} {url}" for number, url in enumerate(urls)]}).upstreams["orders"]
        clock = Clock(monotonic, time.time)
        rules = EjectionRules(failures, 60.0, 60.0, 50)
        detector = OutlierDetector(
            row, dict.fromkeys(range(len(urls)), 1), rules, self.ejections, 1, clock, lambda: 0.0
        )
        settings: dict[str, Any] = {"words": ALL, "statuses": frozenset({503}), "same_target": True} | policy
        return Upstream(
            "orders",
            [self._make(url) for url in urls],
            detector,
            clock,
            lambda: 0.0,
            self.observer,
            policy=RetryPolicy(**settings),
            budget=None if budget is None else RetryBudget(budget),
        )


@pytest.fixture
def retrying(make: Make) -> Retrying:
    return Retrying(make)


async def test_an_answer_with_such_a_status_is_replaced_by_that_of_another_target(retrying: Retrying) -> None:
    async with RawBackend(default=script(BUSY)) as busy, RawBackend() as other:
        assert (await retrying(busy.url, other.url).send(call())).status == 200
        assert (len(busy.requests), len(other.requests), retrying.observer.count) == (1, 1, 1)


async def test_a_body_is_sent_again(retrying: Retrying) -> None:
    async with RawBackend(default=script(BUSY)) as busy, RawBackend() as other:
        assert (await retrying(busy.url, other.url).send(call(b"PUT", b"abc"))).status == 200
        assert [request.body for request in other.requests] == [b"abc"]


@pytest.mark.parametrize(("method", "streamed_body"), [(b"POST", False), (b"PUT", True)])
async def test_what_may_have_been_processed_and_cannot_be_repeated_is_passed_on(
    retrying: Retrying, method: bytes, *, streamed_body: bool
) -> None:
    sent = call(method, Pieces(b"x", length=1) if streamed_body else b"x")
    async with RawBackend(default=script(BUSY)) as busy, RawBackend() as other:
        assert (await retrying(busy.url, other.url).send(sent)).status == 503
        assert (len(busy.requests), len(other.requests)) == (1, 0)


async def test_a_streamed_answer_is_dropped_before_the_next_attempt(retrying: Retrying) -> None:
    endless = script(b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nx", End.NEVER)
    async with RawBackend(endless) as busy, RawBackend() as other:
        answer = await retrying(busy.url, other.url).send(call(buffer_bytes=0))
        assert (answer.status, answer.body) == (200, b"{}")
        await busy.closed(0)


@pytest.mark.parametrize("attempts", [1, 2, 4])
async def test_no_call_is_sent_more_often_than_that(retrying: Retrying, attempts: int) -> None:
    async with RawBackend(default=script(BUSY)) as one, RawBackend(default=script(BUSY)) as other:
        assert retrying(one.url, other.url, attempts=attempts).most_tries == attempts
        assert retrying(one.url, other.url, attempts=attempts, same_target=False).most_tries == min(attempts, 2)
        assert (await retrying(one.url, other.url, attempts=attempts).send(call())).status == 503
        assert len(one.requests) + len(other.requests) == attempts


@pytest.mark.parametrize(("attempts", "sent"), [(1, 1), (2, 2), (3, 3)])
async def test_kept_connections_that_end_count_too(retrying: Retrying, attempts: int, sent: int) -> None:
    """Each of two targets answers once, and then ends its connection in place of an answer."""
    ends = [script(reply()), *[script(End.CLOSE)] * 9]
    async with RawBackend(*ends) as one, RawBackend(*ends) as other:
        upstream = retrying(one.url, other.url, attempts=attempts)
        for target in upstream.targets:
            await target.send(call())
        assert (await fails(upstream, call())).fault is UPSTREAM_RESET
        assert len(one.requests) + len(other.requests) == 2 + sent


async def test_a_single_target_is_called_again(retrying: Retrying) -> None:
    async with RawBackend(script(BUSY), script(End.RESET)) as only:
        assert (await retrying(only.url).send(call())).status == 200
        assert len(only.requests) == 3


async def test_without_other_targets_nothing_is_sent_again_unless_the_policy_says_so(retrying: Retrying) -> None:
    async with RawBackend(script(BUSY)) as only:
        assert (await retrying(only.url, same_target=False).send(call())).status == 503


async def test_an_attempt_may_take_a_part_of_the_time(retrying: Retrying) -> None:
    async with RawBackend(default=script(End.NEVER)) as hangs, RawBackend() as other:
        assert (await retrying(hangs.url, other.url, per_try_s=0.3).send(call())).status == 200
        assert (len(hangs.requests), len(other.requests)) == (1, 1)
        assert (await fails(retrying(hangs.url, per_try_s=0.3, attempts=2), call())).fault is UPSTREAM_TIMEOUT


async def test_it_waits_before_it_calls_again(retrying: Retrying) -> None:
    async with RawBackend(script(BUSY)) as only:
        began = time.monotonic()
        assert (await retrying(only.url, backoff_s=0.05).send(call())).status == 200
        assert time.monotonic() - began >= 0.05


async def test_it_does_not_wait_longer_than_the_call_may_take(retrying: Retrying) -> None:
    async with RawBackend(script(BUSY)) as only:
        assert (await retrying(only.url, backoff_s=0.5).send(call(total_s=0.3))).status == 503
        assert len(only.requests) == 1


async def test_retry_after_is_obeyed(retrying: Retrying) -> None:
    later = reply(b"{}", b"Retry-After: 1", status=b"503 Busy")
    async with RawBackend(script(later)) as only:
        began = time.monotonic()
        assert (await retrying(only.url).send(call())).status == 200
        assert time.monotonic() - began >= 1.0


async def test_an_answer_whose_retry_after_is_too_late_is_passed_on(retrying: Retrying) -> None:
    later = reply(b"{}", b"Retry-After: 30", status=b"503 Busy")
    async with RawBackend(default=script(later)) as only, RawBackend() as other:
        assert (await retrying(only.url).send(call())).status == 503
        assert len(only.requests) == 1
        # It speaks for one target
        assert (await retrying(only.url, other.url).send(call())).status == 200


async def test_the_budget_bounds_a_storm(retrying: Retrying) -> None:
    async with RawBackend(default=script(BUSY)) as one, RawBackend(default=script(End.RESET)) as other:
        upstream = retrying(one.url, other.url, budget=0.2)
        for _ in range(50):
            with contextlib.suppress(GatewayError):
                assert (await upstream.send(call())).status == 503
        assert 50 < len(one.requests) + len(other.requests) <= 60
        assert retrying.observer.refused > 0


async def test_a_kept_connection_that_ends_is_not_replaced_without_budget(retrying: Retrying) -> None:
    async with RawBackend(script(reply()), script(End.CLOSE)) as only:
        upstream = retrying(only.url, budget=0.0)
        await upstream.send(call())
        assert (await fails(upstream, call())).fault is UPSTREAM_RESET


async def test_a_target_that_answers_such_a_status_is_ejected(retrying: Retrying) -> None:
    async with RawBackend(default=script(BUSY)) as busy, RawBackend() as other:
        upstream = retrying(busy.url, other.url, failures=2)
        for _ in range(5):
            assert (await upstream.send(call())).status == 200
        assert len(busy.requests) == 2
        assert retrying.ejections.events == ["0 ejected: 503"]


@pytest.mark.parametrize(
    ("attempt", "ejected"), [(1, ["0 ejected: upstream_timeout"]), (2, ["1 ejected: upstream_timeout"])]
)
async def test_a_target_that_hangs_is_ejected_when_clients_leave(
    retrying: Retrying, attempt: int, ejected: list[str]
) -> None:
    now = [100.0]
    hanging = [script(End.NEVER)] if attempt == 1 else [script(End.RESET), script(End.NEVER)]
    async with RawBackend(*hanging) as hangs:
        upstream = retrying(hangs.url, hangs.url, hangs.url, hangs.url, monotonic=lambda: now[0], failures=1)
        leaving = asyncio.ensure_future(upstream.send(call()))
        await until(lambda: len(hangs.requests) == attempt)
        now[0] += 1.0
        retrying.ejections.events.clear()
        leaving.cancel()
        await asyncio.wait([leaving])
        assert retrying.ejections.events == ejected


async def test_none_is_sent_again_after_the_end(retrying: Retrying) -> None:
    async with RawBackend(script(End.NEVER)) as one, RawBackend() as other:
        upstream = retrying(one.url, other.url)
        sending = asyncio.ensure_future(upstream.send(call()))
        await until(lambda: len(one.requests) == 1)
        await upstream.close()
        with pytest.raises(GatewayError):
            await sending
        assert not other.requests


async def test_the_call_knows_what_it_was_sent_again_for(retrying: Retrying) -> None:
    async with RawBackend(default=script(BUSY)) as busy, RawBackend() as other:
        sent = call()
        await retrying(busy.url, other.url).send(sent)
        [again] = sent.resent
        assert again.reason == "503"
        refused = call()
        await retrying("http://127.0.0.1:1", other.url).send(refused)
        assert [each.reason for each in refused.resent] == ["upstream_refused"]
        assert again.at <= refused.resent[0].at


@pytest.mark.parametrize(("own", "charged"), [(None, "upstream"), (RetryBudget(1.0), "route")])
async def test_a_route_has_rules_of_its_own(retrying: Retrying, own: RetryBudget | None, charged: str) -> None:
    """The budget of the upstream, which is none, bounds those that have no other."""
    async with RawBackend(default=script(BUSY)) as one, RawBackend(default=script(BUSY)) as other:
        upstream = retrying(one.url, other.url, attempts=4, budget=0.0)
        for _ in range(2):
            sent = call()
            sent.retry = RetryRules(RetryPolicy(2, ALL, frozenset({503}), same_target=True), own)
            assert (await upstream.send(sent)).status == 503
        assert len(one.requests) + len(other.requests) == (2 if charged == "upstream" else 3)
        assert retrying.observer.count == (0 if charged == "upstream" else 1)


async def test_a_call_by_no_rules_has_all_its_time_to_connect_to_a_single_target(retrying: Retrying) -> None:
    async with RawBackend() as only:
        sent = call()
        await retrying(only.url, same_target=False).send(sent)
        assert sent.connect_timeout_s == 1.0
