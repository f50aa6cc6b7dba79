"""other_answers.py: handshakes of WebSockets."""

import pytest

from gateway.table.steering import Affinity, Steering
from gateway.upstream.call import Answer
from tests.in_memory_gateway import GOOD, Client, answered, gateway
from tests.samples import Echo, Pieces, exchange, route


async def test_a_service_that_agrees_opens_a_tunnel() -> None:
    tunnel = Pieces()
    echo = Echo(Answer(101, [(b"upgrade", b"websocket"), (b"connection", b"upgrade")], b"", tunnel, None, "t"))
    client, x = Client(), exchange(GOOD, upgrade=True)
    await gateway(route(upstream=echo, websocket=True)).handle(x, client.send)
    (reply,) = client.replies
    assert (reply.status, reply.stream, x.tunnel, x.outcome) == (101, tunnel, True, "answered")
    assert ("X-RateLimit-Remaining-Minute", "299") in reply.fields
    assert b"Upgrade: websocket" in b"".join(echo.calls[0].head)


async def test_any_other_answer_is_put_into_the_envelope() -> None:
    status, body, _ = await answered(gateway(route(websocket=True)), exchange(GOOD, upgrade=True))
    assert (status, body["data"]["result"]) == (200, {"a": 1})


@pytest.mark.parametrize(("key", "websocket", "status"), [([], True, 401), (GOOD, False, 426), ([], False, 401)])
async def test_handshakes_that_are_refused(key: list[tuple[str, str]], *, websocket: bool, status: int) -> None:
    got, body, fields = await answered(gateway(route(websocket=websocket)), exchange(key, upgrade=True))
    assert (got, body["status"]) == (status, "ERROR")
    assert ("Upgrade" in fields) == (status == 426)


async def test_a_handshake_is_steered_like_any_other_call() -> None:
    echo = Echo()
    one = route(upstream=echo, websocket=True, steering=Steering(Affinity("key")))
    await answered(gateway(one), exchange(GOOD, upgrade=True))
    assert echo.calls[0].affinity != 0


async def test_so_is_a_call_that_is_no_handshake() -> None:
    echo = Echo()
    await answered(gateway(route(upstream=echo, steering=Steering(Affinity("key")))), exchange(GOOD))
    assert echo.calls[0].affinity != 0
