"""request_life.py: the life of a request, from in front of the stages to the record."""

import pytest

from gateway.exchange import Reply
from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    REQUEST_TIMEOUT,
    UPSTREAM_INCOMPLETE,
    GatewayError,
)
from gateway.kernel.limits.token_bucket import Window
from gateway.table.limits import Tariff
from gateway.upstream.call import Answer, Call
from tests.fake_key_store import FakeKeyStore, stored_keys
from tests.in_memory_gateway import GOOD, Client, UnavailableLimiter, answered, gateway
from tests.samples import MINUTE, Echo, Pieces, exchange, route


async def test_a_request_goes_through_all_stages() -> None:
    x = exchange(GOOD)
    status, body, fields = await answered(gateway(), x)
    assert (status, body["status"], body["data"]["result"]) == (200, "SUCCESS", {"a": 1})
    assert body["requestId"] == fields["X-Request-Id"] == x.request_id
    assert fields["X-RateLimit-Remaining-Minute"] == "299"


async def test_an_open_route_asks_for_no_key_and_limits_each_address() -> None:
    one = gateway(route(open=True, open_plan="anonymous", open_windows=(MINUTE,)))
    for address, left in (("192.0.2.1", "299"), ("192.0.2.1", "298"), ("192.0.2.2", "299")):
        status, _, fields = await answered(one, exchange(client=address))
        assert (status, fields["X-RateLimit-Remaining-Minute"]) == (200, left)


async def test_a_route_that_the_key_may_not_use_costs_nothing() -> None:
    one = gateway(allowed=frozenset({"other"}))
    for _ in range(2):
        status, body, fields = await answered(one, exchange(GOOD))
        assert (status, body["data"]["code"], fields["X-RateLimit-Remaining-Minute"]) == (403, 1003, "300")


async def test_keys_in_redis_are_asked_for_before_anything_else_is_decided() -> None:
    key_store, one = FakeKeyStore(), gateway()
    key_store.put("good")
    one.callers = stored_keys(key_store)
    assert [(await answered(one, exchange(GOOD)))[2]["X-RateLimit-Remaining-Minute"] for _ in range(2)] == [
        "299",
        "298",
    ]
    status, _, fields = await answered(one, exchange(GOOD, path="/nowhere"))
    assert (status, fields["X-RateLimit-Remaining-Minute"]) == (404, "298")
    key_store.away = True
    for path, expected in (("/v1/orders", (503, 1004)), ("/nowhere", (404, 1005))):
        status, body, fields = await answered(one, exchange([("X-Api-Key", "new")], path=path))
        assert ((status, body["data"]["code"]), "RateLimit" in fields) == (expected, False)


async def test_a_spent_limit_is_refused_before_the_upstream_is_called() -> None:
    echo = Echo()
    one = gateway(route(upstream=echo))
    for _ in range(300):
        await answered(one, exchange(GOOD))
    status, body, fields = await answered(one, exchange(GOOD))
    assert (status, body["data"]["code"], fields["Retry-After"], fields["X-RateLimit-Remaining-Minute"]) == (
        429,
        8000,
        "1",
        "0",
    )
    assert len(echo.calls) == 300


async def test_a_route_may_ask_more_of_a_caller_than_its_plan_does() -> None:
    own = Window("route/orders/deletes", 2, 60_000_000, "Minute")
    tariff = Tariff({"GET": 1, "DELETE": 50}, {"GET": (), "DELETE": (own,)})
    one = gateway(route(tariff=tariff), route(id="other", pattern="/v1/other"))
    _, _, fields = await answered(one, exchange(GOOD))
    assert (fields["X-RateLimit-Limit-Minute"], fields["X-RateLimit-Remaining-Minute"]) == ("300", "299")
    status, _, fields = await answered(one, exchange(GOOD, method="DELETE"))
    assert (status, fields["X-RateLimit-Limit-Minute"], fields["X-RateLimit-Remaining-Minute"]) == (429, "2", "0")
    _, _, fields = await answered(one, exchange(GOOD, path="/v1/other"))
    assert (fields["X-RateLimit-Limit-Minute"], fields["X-RateLimit-Remaining-Minute"]) == ("300", "298")


async def test_a_call_is_charged_what_the_route_costs() -> None:
    one = gateway(route(tariff=Tariff({"GET": 100, "DELETE": 0}, {"GET": (), "DELETE": ()})))
    left = [
        (await answered(one, exchange(GOOD, method=method)))[2]["X-RateLimit-Remaining-Minute"]
        for method in ("GET", "DELETE", "GET")
    ]
    assert left == ["200", "200", "100"]


async def test_a_shadow_is_in_the_metrics_and_in_no_reply() -> None:
    shadow = Window("route/orders/soon", 1, 60_000_000, "Minute", shadow=True)
    one = gateway(route(tariff=Tariff({"GET": 1}, {"GET": (shadow,)})))
    for left in ("299", "298", "297"):
        status, _, fields = await answered(one, exchange(GOOD))
        assert (status, fields["X-RateLimit-Limit-Minute"], fields["X-RateLimit-Remaining-Minute"]) == (
            200,
            "300",
            left,
        )
        assert "soon" not in str(fields)
    assert one.recorder._metrics.limiter_shadow_refused.labels("route/orders/soon").value == 2


async def test_a_limiter_whose_store_is_away_under_deny() -> None:
    status, body, fields = await answered(gateway(limiter=UnavailableLimiter()), exchange(GOOD))
    assert (status, body["data"]["code"]) == (503, 1004)
    assert "X-RateLimit-Limit-Minute" not in fields


@pytest.mark.parametrize(
    ("arrived", "total_s", "expected"),
    [(0.5, 30.0, 30.0), (-39.0, 30.0, 15.0), (-80.0, 30.0, 5.0), (-39.0, 600.0, 600.0)],
)
async def test_the_time_in_which_a_body_arrives_shortens_the_upstreams_time(
    arrived: float, total_s: float, expected: float
) -> None:
    echo = Echo()
    await answered(
        gateway(route(upstream=echo, total_timeout_s=total_s)),
        exchange(GOOD, method="POST", started=arrived, body=Pieces(b"{}", length=2)),
    )
    assert echo.calls[0].total_timeout_s == expected


async def test_a_stream_is_given_up_with_its_client() -> None:
    stream = Pieces(b"x")
    answer = Answer(200, [(b"content-type", b"text/event-stream")], b"", stream, None, "127.0.0.1:1")
    await gateway(route(upstream=Echo(answer))).handle(exchange(GOOD), Client(ConnectionResetError()).send)
    assert stream.closed


@pytest.mark.parametrize("gone", [None, ConnectionResetError(), GatewayError(UPSTREAM_INCOMPLETE)])
async def test_waiting_for_the_rest_of_a_stream_is_the_upstreams_time_however_it_ends(gone: Exception | None) -> None:
    stream = Pieces(b"x")
    stream.waited_s = 7.0
    answer = Answer(200, [(b"content-type", b"text/event-stream")], b"", stream, None, "127.0.0.1:1")
    x = exchange(GOOD)
    await gateway(route(upstream=Echo(answer))).handle(x, Client(gone).send)
    assert x.upstream_s == 7.0


class Uploaded(Echo):
    """Answers after the rest of a body has been waited for."""

    def __init__(self, body: Pieces) -> None:
        super().__init__()
        self._body = body

    async def send(self, call: Call) -> Answer:
        self._body.waited_s += 3.0
        return await super().send(call)


async def test_waiting_for_the_rest_of_a_body_is_the_clients_time() -> None:
    now = iter(range(0, 100, 10))
    body = Pieces(b"{}", length=2)
    body.waited_s = 2.0
    one = gateway(route(upstream=Uploaded(body)))
    one.clock = Clock(lambda: float(next(now)), lambda: 0.0)
    x = exchange(GOOD, method="POST", body=body)
    await one.handle(x, Client().send)
    assert (x.client_s, x.upstream_s) == (2.0 + 3.0, 10.0 - 3.0)


async def test_so_is_waiting_for_a_body_that_never_comes() -> None:
    body = Pieces(GatewayError(REQUEST_TIMEOUT), length=2)
    body.waited_s = 2.0
    x = exchange(GOOD, method="POST", body=body)
    assert (await answered(gateway(), x))[0] == 408
    assert (x.client_s, x.upstream_s) == (2.0, 0.0)


async def test_what_was_sent_before_it_ended_is_remembered() -> None:
    x = exchange(GOOD)

    async def send(_: Reply) -> int:
        x.sent_bytes = 17
        raise ConnectionResetError

    await gateway().handle(x, send)
    assert (x.sent_bytes, x.outcome) == (17, "abandoned")
