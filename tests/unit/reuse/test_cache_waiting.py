"""reuse/cache.py: who waits for whose call, and what becomes of it."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.exchange import Exchange
from gateway.kernel.faults import UPSTREAM_SATURATED, UPSTREAM_TIMEOUT, GatewayError
from gateway.pipeline import Gateway
from tests.cached_gateway import (
    FRESH,
    CachedService,
    Time,
    ask,
    built,
    got,
    number_of,
    numbers,
    status_of,
)
from tests.fakes import turn, until
from tests.in_memory_gateway import Client
from tests.samples import Pieces


async def test_ten_thousand_who_miss_make_one_call() -> None:
    one, service = built(FRESH)
    service.opened.clear()
    exchanges = [ask(("a1", "a2")[number % 2]) for number in range(10_000)]
    tasks = [asyncio.ensure_future(got(one, x)) for x in exchanges]
    await until(lambda: bool(service.calls))
    await turn()
    service.opened.set()
    replies = await asyncio.gather(*tasks)
    assert len(service.calls) == 1
    assert all(b'{"call":1}' in reply.body for reply in replies)
    assert {status_of(reply) for reply in replies} == {"fwd=uri-miss; stored", "fwd=uri-miss; collapsed"}
    assert len({reply.body for reply in replies}) == len(replies)  # each has an id of its own


async def gathered(one: Gateway, service: CachedService, *exchanges: Exchange) -> list[Any]:
    """The replies to exchanges that wait together."""
    service.opened.clear()
    tasks = [asyncio.ensure_future(got(one, x)) for x in exchanges]
    await until(lambda: bool(service.calls))
    await turn()
    service.opened.set()
    return await asyncio.gather(*tasks)


async def test_organisations_do_not_wait_for_what_is_not_theirs() -> None:
    one, service = built(FRESH)
    replies = await gathered(one, service, *[ask(key) for key in ("a1", "b1", "a2", "b1")])
    numbers_of = [number_of(reply) for reply in replies]
    assert numbers_of[0] == numbers_of[2] != numbers_of[1] == numbers_of[3]


async def test_what_turns_out_not_to_be_public_is_called_for_by_each_organisation() -> None:
    one, service = built(FRESH, share="public")
    replies = await gathered(one, service, *[ask(key) for key in ("a1", "b1", "a2", "b1")])
    numbers_of = [number_of(reply) for reply in replies]
    assert numbers_of[0] == numbers_of[2] != numbers_of[1] == numbers_of[3]
    assert len(service.calls) == 2


@pytest.mark.parametrize("failure", ["error", "status"])
async def test_what_serves_while_the_service_is_away_serves_its_organisation_only(failure: str) -> None:
    time = Time()
    one, service = built(FRESH, time=time, share="public", stale_if_error_s=600.0)
    await got(one, ask("a1"))
    time.now_s += 61
    service.calls.clear()
    if failure == "error":
        service.error = GatewayError(UPSTREAM_TIMEOUT)
    else:
        service.status = 503
    replies = await gathered(one, service, *[ask(key) for key in ("a1", "b1", "a2", "none")])
    assert [reply.status for reply in replies] == [200, 503, 200, 503]


async def test_what_turns_out_to_vary_is_called_for_by_each_variant() -> None:
    one, service = built(FRESH, (b"vary", b"Accept"))
    replies = await gathered(one, service, *[ask("a1", ("Accept", each)) for each in "xyxy"])
    numbers_of = [number_of(reply) for reply in replies]
    assert numbers_of[0] == numbers_of[2] != numbers_of[1] == numbers_of[3]
    assert len(service.calls) == 2


async def test_what_nobody_else_may_get_is_called_for_by_everybody() -> None:
    time = Time()
    one, service = built((b"cache-control", b"private"), time=time)
    replies = await gathered(one, service, *[ask() for _ in range(5)])
    assert sorted(number_of(reply) for reply in replies) == [1, 2, 3, 4, 5]
    assert [status_of(reply) for reply in replies] == ["fwd=uri-miss"] * 5
    service.opened.clear()
    tasks = [asyncio.ensure_future(got(one, ask())) for _ in range(3)]
    await until(lambda: len(service.calls) == 8)  # nobody waits for anybody for a while
    service.opened.set()
    await asyncio.gather(*tasks)
    time.now_s += 11
    assert status_of(await got(one, ask())) == "fwd=uri-miss"


async def test_a_failure_is_shared_by_those_who_wait() -> None:
    one, service = built()
    service.error = GatewayError(UPSTREAM_TIMEOUT, cause="late")
    replies = await gathered(one, service, *[ask() for _ in range(5)])
    assert ([reply.status for reply in replies], len(service.calls)) == ([503] * 5, 1)
    service.error, service.status = None, 500
    replies = await gathered(one, service, *[ask() for _ in range(5)])
    assert ([reply.status for reply in replies], len(service.calls)) == ([500] * 5, 2)


async def test_a_refusal_of_one_caller_is_not_shared() -> None:
    one, service = built(FRESH)
    service.error = GatewayError(UPSTREAM_SATURATED)
    replies = await gathered(one, service, *[ask() for _ in range(3)])
    assert ([reply.status for reply in replies], len(service.calls)) == ([503] * 3, 3)


async def test_a_bug_is_answered() -> None:
    one, service = built(FRESH)
    service.error = ValueError("a bug")
    with capture_logs() as logs:
        assert (await got(one, ask())).status == 500
    assert [line["event"] for line in logs] == ["bug"]


async def test_followers_survive_a_leader_that_leaves() -> None:
    one, service = built(FRESH)
    service.opened.clear()
    leader = asyncio.ensure_future(got(one, ask()))
    await until(lambda: bool(service.calls))
    follower = asyncio.ensure_future(got(one, ask()))
    await turn()
    leader.cancel()
    await asyncio.wait([leader])
    assert leader.cancelled()
    service.opened.set()
    assert (number_of(await follower), len(service.calls), service.abandoned) == (1, 1, 0)


async def test_a_call_ends_with_the_last_who_waits_for_it() -> None:
    one, service = built(FRESH)
    service.opened.clear()
    tasks = [asyncio.ensure_future(got(one, ask())) for _ in range(3)]
    await until(lambda: bool(service.calls))
    await turn()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await until(lambda: service.abandoned == 1)
    service.opened.set()
    assert await numbers(one, [ask()]) == [2]


async def test_a_stream_goes_to_its_own_client_only() -> None:
    one, service = built(FRESH)
    service.stream, service.body = Pieces(b"}"), b'{"a":1'
    reply = await got(one, ask())
    assert reply.stream is not None
    assert status_of(reply) == "fwd=uri-miss"
    service.stream = Pieces(b"}")
    client = Client()
    x = ask()
    await one.handle(x, client.send)
    assert len(one.cache.stores["orders"]) == 0


async def test_a_stream_without_a_reader_is_closed() -> None:
    one, service = built(FRESH)
    pieces = service.stream = Pieces(b"}")
    service.body = b'{"a":1'
    service.opened.clear()
    task = asyncio.ensure_future(got(one, ask()))
    await until(lambda: bool(service.calls))
    (flight,) = one.cache._flights.values()
    flight.task.add_done_callback(lambda _: task.cancel())  # the answer has come, and its client leaves before it knows
    service.opened.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert pieces.closed


async def test_a_stale_reply_is_given_while_it_is_renewed() -> None:
    time = Time()
    one, service = built(FRESH, time=time, stale_while_revalidate_s=30.0)
    await got(one, ask())
    time.now_s += 70
    service.opened.clear()
    replies = [await got(one, ask()) for _ in range(3)]
    assert [(number_of(each), status_of(each), dict(each.fields)["Age"]) for each in replies] == [
        (1, "hit; ttl=-10", "70")
    ] * 3
    await until(lambda: len(service.calls) == 2)
    service.opened.set()
    await until(lambda: not one.cache._flights)
    assert await numbers(one, [ask(), ask()]) == [2, 2]
    time.now_s += 90
    assert status_of(await got(one, ask())) == "fwd=stale; stored"


async def test_a_reply_is_renewed_whatever_becomes_of_clients() -> None:
    time = Time()
    one, service = built(FRESH, time=time, stale_while_revalidate_s=30.0)
    await got(one, ask())
    time.now_s += 70
    service.opened.clear()
    await got(one, ask())
    time.now_s += 30
    waits = asyncio.ensure_future(got(one, ask()))
    await until(lambda: len(service.calls) == 2)
    await turn()
    waits.cancel()
    await asyncio.wait([waits])
    service.opened.set()
    await until(lambda: not one.cache._flights)
    assert await numbers(one, [ask()]) == [2]


async def test_what_is_purged_is_not_waited_for() -> None:
    one, service = built(FRESH)
    service.opened.clear()
    before = asyncio.ensure_future(got(one, ask()))
    await until(lambda: len(service.calls) == 1)
    assert one.cache.purge("orders", None) == 0
    after = asyncio.ensure_future(got(one, ask()))
    await until(lambda: len(service.calls) == 2)
    service.opened.set()
    assert [number_of(reply) for reply in await asyncio.gather(before, after)] == [1, 2]
    assert await numbers(one, [ask()]) == [2]


async def test_those_who_wait_end_with_a_call_that_is_cancelled() -> None:
    one, service = built(FRESH)
    service.opened.clear()
    waits = asyncio.ensure_future(got(one, ask()))
    await until(lambda: bool(service.calls))
    (flight,) = one.cache._flights.values()
    flight.task.cancel()
    await asyncio.wait([waits])
    assert waits.cancelled()
    assert flight.task.cancelled()
    assert not one.cache._flights
