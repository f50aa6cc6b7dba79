"""pipeline.py: the life of a request, from in front of the stages to the record."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from gateway.exchange import Reply
from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    MALFORMED_REQUEST,
    REQUEST_TIMEOUT,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_REFUSED,
    GatewayError,
)
from gateway.kernel.limits.quota import MeterState, Posting
from gateway.kernel.limits.token_bucket import Claim, Decision, Window
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


@pytest.mark.parametrize(
    ("fields", "changes", "status", "code"),
    [
        ([], {}, 401, 1002),
        ([("X-Api-Key", "bad")], {}, 401, 1002),
        ([], {"path": "/nowhere"}, 404, 1005),
        ([("X-Api-Key", "bad")], {"path": "/nowhere"}, 404, 1005),
        (GOOD, {"head_error": GatewayError(MALFORMED_REQUEST)}, 400, 1001),
    ],
)
async def test_an_unknown_caller_gets_no_limits(
    fields: list[tuple[str, str]], changes: dict[str, Any], status: int, code: int
) -> None:
    got, body, limits = await answered(gateway(), exchange(fields, **changes))
    assert (got, body["data"]["code"]) == (status, code)
    assert not [name for name in limits if "RateLimit" in name]


@pytest.mark.parametrize(("changes", "status"), [({"path": "/nowhere"}, 404), ({"method": "BREW"}, 405)])
async def test_a_refused_caller_sees_its_limits_and_pays_nothing(changes: dict[str, Any], status: int) -> None:
    one = gateway()
    for _ in range(2):
        got, _, fields = await answered(one, exchange(GOOD, **changes))
        assert (got, fields["X-RateLimit-Remaining-Minute"]) == (status, "300")


async def test_what_a_route_sets_is_on_a_405_for_its_path() -> None:
    one = gateway(route(own_set=(("Access-Control-Allow-Origin", "*"),)))
    for x, wanted in ((exchange(method="BREW"), "*"), (exchange(path="/nowhere"), None)):
        _, _, fields = await answered(one, x)
        assert fields.get("Access-Control-Allow-Origin") == wanted


async def test_a_route_that_the_key_may_not_use_costs_nothing() -> None:
    one = gateway(allowed=frozenset({"other"}))
    for _ in range(2):
        status, body, fields = await answered(one, exchange(GOOD))
        assert (status, body["data"]["code"], fields["X-RateLimit-Remaining-Minute"]) == (403, 1003, "300")


async def test_a_route_without_upstream_reports_the_limits_at_no_cost() -> None:
    free = Tariff({"GET": 0, "HEAD": 0}, {"GET": (), "HEAD": ()})
    one = gateway(
        route(),
        route("/limits", id="gateway.limits", methods=("GET",), upstream=None, tariff=free),
        allowed=frozenset(),
    )
    for _ in range(2):
        x = exchange(GOOD, path="/limits")
        status, body, fields = await answered(one, x)
        assert (status, fields["X-RateLimit-Remaining-Minute"], x.peeked) == (200, "300", True)
        assert [limit["remaining"] for limit in body["data"]["result"]["limits"]] == [300]
    assert (await answered(one, exchange(path="/limits")))[0] == 401


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


class Broken:
    """A Limiter with a bug."""

    async def decide(self, claim: Claim) -> Decision:
        raise ZeroDivisionError

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        raise ZeroDivisionError


async def test_a_bug_while_limits_are_peeked_at_costs_no_reply() -> None:
    status, body, _ = await answered(gateway(limiter=Broken()), exchange(GOOD, path="/nowhere"))
    assert (status, body["data"]["code"]) == (404, 1005)


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


async def test_a_failed_upstream_is_answered_in_the_routes_family_and_the_operators_words() -> None:
    own = msgspec.structs.replace(UPSTREAM_REFUSED, status=504, developer_message="Call us.")
    one = gateway(route(upstream=Echo(GatewayError(UPSTREAM_REFUSED)), family="analytics"), upstream_refused=own)
    x = exchange(GOOD)
    status, body, fields = await answered(one, x)
    assert (status, body["data"]["code"], body["data"]["developerMessage"]) == (504, 5001, "Call us.")
    assert "X-RateLimit-Limit-Minute" in fields


async def test_a_bug_is_answered_too() -> None:
    status, body, _ = await answered(gateway(route(upstream=Echo(ZeroDivisionError()))), exchange(GOOD))
    assert (status, body["data"]["code"]) == (500, 1004)


async def test_a_redirection_asks_nobody_and_repeats_no_key() -> None:
    one = gateway().redirecting(8443)
    status, body, fields = await answered(one, exchange(path="/nowhere", query="a=1&X-Api-Key=good"))
    assert (status, body["status"], body["requestId"]) == (308, "SUCCESS", fields["X-Request-Id"])
    assert fields["Location"] == "https://api.example.com:8443/nowhere?a=1"
    status, body, _ = await answered(one, exchange(head_error=GatewayError(MALFORMED_REQUEST)))
    assert (status, body["data"]["code"]) == (400, 1001)
