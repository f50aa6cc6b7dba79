"""request_life.py: what becomes of what a call was charged, whatever becomes of the call."""

import asyncio
import contextlib

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.kernel.faults import CONCURRENCY_EXCEEDED, QUOTA_SPENT, UPSTREAM_INCOMPLETE, UPSTREAM_REFUSED, GatewayError
from gateway.kernel.limits.quota import AmountSource, Meter, Posting, Reservation
from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.pipeline import Gateway
from gateway.table.limits import Tariff
from gateway.table.quotas import Metering
from gateway.upstream.call import Answer, Call
from tests.in_memory_gateway import GOOD, Client, answered, gateway
from tests.samples import Echo, Pieces, exchange, route

ENCODINGS = Meter("encodings", "count", 1, "key", msgspec.structs.replace(QUOTA_SPENT, code=8006, message="All done"))
AT_ONCE = Meter("concurrency", "concurrency", 1, "key", CONCURRENCY_EXCEEDED)


def metered(upstream: Echo, *meters: Meter) -> Gateway:
    """A Gateway whose caller has these meters on its route."""
    postings = tuple([Posting(f"m/{meter.id}", meter) for meter in meters])
    return gateway(
        route(upstream=upstream, tariff=Tariff({"GET": 1}, {"GET": ()}, Metering({("standard", "GET"): postings}, {})))
    )


async def test_a_quota_is_charged_for_successful_calls_and_refuses_with_its_own_error() -> None:
    echo = Echo(GatewayError(UPSTREAM_REFUSED))
    one = metered(echo, ENCODINGS)
    assert [(await answered(one, exchange(GOOD)))[0] for _ in range(3)] == [503] * 3
    echo.answer = Answer(200, [(b"content-type", b"application/json")], b"{}", None, 2, "127.0.0.1:1")
    assert (await answered(one, exchange(GOOD)))[0] == 200
    x = exchange(GOOD)
    status, body, fields = await answered(one, x)
    assert (status, body["data"]["code"], body["data"]["message"], len(echo.calls)) == (429, 8006, "All done", 4)
    assert fields["X-RateLimit-Remaining-Minute"] == "296"
    assert one.recorder._metrics.quota_refused.labels("encodings").value == 1
    assert x.reservation is None


@pytest.mark.parametrize(
    "gone", [ConnectionResetError(), asyncio.CancelledError(), GatewayError(UPSTREAM_INCOMPLETE), None]
)
async def test_a_place_is_given_back_whatever_ends_the_exchange(gone: BaseException | None) -> None:
    one = metered(Echo(), AT_ONCE)
    for _ in range(3):
        x = exchange(GOOD)
        with contextlib.suppress(asyncio.CancelledError):
            await one.handle(x, Client(gone).send)
        assert x.reply is not None
        assert x.reply.status == 200


async def test_a_bug_in_the_accounts_costs_nobody_a_reply() -> None:
    def bug(*_: object, **__: object) -> None:
        raise OverflowError("a bug")

    one = metered(Echo(), ENCODINGS)
    x = exchange(GOOD)
    with capture_logs() as logs:
        decide = one.limiter.decide

        async def decided(claim: Claim) -> Decision:
            decision = await decide(claim)
            decision.reservation = Reservation((), bug, bug)
            return decision

        one.limiter.decide, one.decide_at = decided, None  # type: ignore[method-assign]
        assert (await answered(one, x))[0] == 200
    assert [line["event"] for line in logs] == ["bug", "bug"]


async def test_a_quota_without_its_amount_is_in_the_metrics() -> None:
    one = metered(Echo(), Meter("bytes", "sum", 1, "key", QUOTA_SPENT, amount=AmountSource(header=b"x-bytes")))
    assert (await answered(one, exchange(GOOD)))[0] == 200
    assert one.recorder._metrics.quota_unmeasured.labels("bytes").value == 1


async def test_what_was_read_ahead_is_counted_until_the_service_has_answered() -> None:
    one, seen = gateway(), []

    class Watching(Echo):
        async def send(self, call: Call) -> Answer:
            seen.append(one.read_ahead.reserved)
            return await super().send(call)

    one = gateway(route(upstream=Watching()))
    x = exchange(GOOD, method="POST", body=Pieces(b"x" * 50_000, b"x" * 50_000, length=100_000))
    assert (await answered(one, x))[0] == 200
    assert seen == [100_000]
    assert (one.read_ahead.reserved, x.read_ahead) == (0, 0)
