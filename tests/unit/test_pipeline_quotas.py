"""pipeline.py: what becomes of what a call was charged, whatever becomes of the call."""

import asyncio
import contextlib
import json
import os
from hashlib import sha256

import msgspec
import pytest

from gateway.exchange import Exchange, Reply
from gateway.kernel.clock import Clock
from gateway.kernel.faults import CATALOGUE, CONCURRENCY_EXCEEDED, QUOTA_SPENT, UPSTREAM_INCOMPLETE, UPSTREAM_REFUSED, GatewayError
from gateway.kernel.quota import Amount, Meter, Posting
from gateway.observe.access import AccessLog
from gateway.observe.metrics import Metrics
from gateway.observe.writer import Writer
from gateway.pipeline import Gateway
from gateway.remote.call import Answer
from gateway.remote.local import LocalLimiter
from gateway.stages.record import Recorder
from gateway.table import Credentials, Key, Keyring, RouteTable
from gateway.table.limits import Tariff
from gateway.table.meters import Metering
from tests.samples import Echo, caller, exchange, route

CLOCK = Clock(lambda: 1.0, lambda: 1_700_000_000.0)
ENCODINGS = Meter("encodings", "count", 1, "key", msgspec.structs.replace(QUOTA_SPENT, code=8006, message="All done"))
AT_ONCE = Meter("concurrency", "concurrency", 1, "key", CONCURRENCY_EXCEEDED)


def metered(upstream: Echo, *meters: Meter) -> Gateway:
    """A Gateway whose caller has these meters on its route."""
    postings = tuple([Posting(f"m/{meter.id}", meter) for meter in meters])
    tariff = Tariff({"GET": 1}, {"GET": ()}, Metering({("standard", "GET"): postings}, {}))
    keys = Keyring({sha256(b"good").digest(): Key("acme-ci", {None: caller()}, False, frozenset(), None)})
    return Gateway(
        table=RouteTable([route(upstream=upstream, tariff=tariff)]),
        credentials=Credentials(keys, "X-Api-Key", "X-Api-Key", "X-Tenant-Org-Id"),
        limiter=LocalLimiter(CLOCK),
        recorder=Recorder(Metrics(), AccessLog(Writer(os.open(os.devnull, os.O_WRONLY)), CLOCK.wall), "X-Api-Key"),
        clock=CLOCK,
        faults=CATALOGUE,
        id_field="X-Request-Id",
    )


async def answered(one: Gateway, gone: BaseException | None = None) -> tuple[Exchange, Reply]:
    """What became of a call whose client leaves with `gone` while it is answered."""
    x = exchange([("X-Api-Key", "good")])

    async def send(reply: Reply) -> int:
        if gone is not None:
            raise gone
        return len(reply.body)

    with contextlib.suppress(asyncio.CancelledError):
        await one.handle(x, send)
    assert x.reply is not None
    return x, x.reply


async def test_a_quota_is_charged_for_what_succeeded_and_refuses_in_its_own_words() -> None:
    echo = Echo(GatewayError(UPSTREAM_REFUSED))
    one = metered(echo, ENCODINGS)
    assert [(await answered(one))[1].status for _ in range(3)] == [503] * 3
    echo.answer = Answer(200, [(b"content-type", b"application/json")], b"{}", None, 2, "127.0.0.1:1")
    assert (await answered(one))[1].status == 200
    x, reply = await answered(one)
    data = json.loads(reply.body)["data"]
    assert (reply.status, data["code"], data["message"], len(echo.calls)) == (429, 8006, "All done", 4)
    assert dict(reply.fields)["X-RateLimit-Remaining-Minute"] == "296"
    assert one.recorder._metrics.quota_refused.labels("encodings").value == 1
    assert x.hold is None


@pytest.mark.parametrize("gone", [ConnectionResetError(), asyncio.CancelledError(), GatewayError(UPSTREAM_INCOMPLETE), None])
async def test_a_place_is_given_back_whatever_ends_the_exchange(gone: BaseException | None) -> None:
    one = metered(Echo(), AT_ONCE)
    for _ in range(3):
        assert (await answered(one, gone))[1].status == 200


async def test_a_quota_without_its_amount_is_in_the_metrics() -> None:
    one = metered(Echo(), Meter("bytes", "sum", 1, "key", QUOTA_SPENT, amount=Amount(header=b"x-bytes")))
    assert (await answered(one))[1].status == 200
    assert one.recorder._metrics.quota_unmeasured.labels("bytes").value == 1
