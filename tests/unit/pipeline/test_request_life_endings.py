"""request_life.py: exchanges that end early, because the client or the gateway gives up or something breaks."""

import asyncio

import pytest

from gateway.kernel.faults import (
    SHUTTING_DOWN,
    UPSTREAM_INCOMPLETE,
    GatewayError,
)
from tests.in_memory_gateway import GOOD, Client, answered, gateway
from tests.samples import Echo, exchange, route


async def test_a_client_that_resets_is_recorded_as_gone() -> None:
    x = exchange(GOOD)
    await gateway().handle(x, Client(ConnectionResetError()).send)
    assert x.outcome == "abandoned"
    assert x.error is not None
    assert x.error.fault.name == "client_closed"


async def test_a_cancelled_exchange_is_recorded_and_stays_cancelled() -> None:
    x = exchange(GOOD)
    with pytest.raises(asyncio.CancelledError):
        await gateway().handle(x, Client(asyncio.CancelledError()).send)
    assert x.outcome == "abandoned"


async def test_an_exchange_that_the_gateway_gives_up_is_answered() -> None:
    one = gateway(route(upstream=Echo(asyncio.CancelledError())))
    status, body, fields = await answered(one, exchange(GOOD, ended=GatewayError(SHUTTING_DOWN)))
    assert (status, body["data"]["code"], fields["Retry-After"]) == (503, 1004, "1")


async def test_work_that_is_cancelled_for_no_reason_of_ours_stays_cancelled() -> None:
    with pytest.raises(asyncio.CancelledError):
        await answered(gateway(route(upstream=Echo(asyncio.CancelledError()))), exchange(GOOD))


async def test_a_reply_that_the_gateway_gives_up_within_is_recorded_as_cut() -> None:
    x = exchange(GOOD, ended=GatewayError(SHUTTING_DOWN))
    with pytest.raises(asyncio.CancelledError):
        await gateway().handle(x, Client(asyncio.CancelledError()).send)
    assert (x.outcome, x.error) == ("cut", x.ended)


async def test_a_reply_that_breaks_off_is_recorded_as_cut() -> None:
    x = exchange(GOOD)
    await gateway().handle(x, Client(GatewayError(UPSTREAM_INCOMPLETE)).send)
    assert x.outcome == "cut"
    assert x.error is not None
    assert x.error.fault is UPSTREAM_INCOMPLETE
