"""stages/upgrade.py: which handshakes go on, what the service is asked, and the reply that opens a tunnel."""

import pytest

from gateway.exchange import Exchange
from gateway.kernel.faults import MALFORMED_REQUEST, UPGRADE_UNSUPPORTED, Fault, GatewayError
from gateway.stages.upgrade import ask_to_switch, require_upgrade, switched
from gateway.upstream.call import Answer
from tests.samples import REQUEST_ID, Pieces, exchange, route
from tests.unit.upstream.calls import call


@pytest.mark.parametrize(
    ("x", "websocket", "fault"),
    [
        (exchange(), False, UPGRADE_UNSUPPORTED),
        (exchange(body=Pieces(b"a")), True, MALFORMED_REQUEST),
    ],
)
def test_handshakes_that_end_here(x: Exchange, *, websocket: bool, fault: Fault) -> None:
    with pytest.raises(GatewayError) as caught:
        require_upgrade(x, route(websocket=websocket))
    assert caught.value.fault is fault


def test_a_route_with_websockets_takes_handshakes() -> None:
    one = route(websocket=True)
    assert require_upgrade(exchange(), one) is one.upstream


def test_the_service_is_asked_anew() -> None:
    asked = call()
    asked.head = (b"A: b\r\n",)
    ask_to_switch(exchange(), asked)
    assert b"".join(asked.head) == b"A: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    assert asked.upgrade_mask == bytes.fromhex(REQUEST_ID[:8])


def test_the_reply_keeps_what_is_for_both_ends() -> None:
    tunnel = Pieces()
    fields = [
        (b"connection", b"upgrade, x-hop"),
        (b"upgrade", b"WebSocket"),
        (b"x-hop", b"1"),
        (b"sec-websocket-accept", b"abc"),
    ]
    reply = switched(Answer(101, fields, b"", tunnel, None, "t"), route())
    assert (reply.status, reply.source, reply.stream) == (101, "upstream", tunnel)
    assert reply.fields == [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("sec-websocket-accept", "abc")]


def test_the_route_of_the_limits_takes_none() -> None:
    with pytest.raises(GatewayError):
        require_upgrade(exchange(), route(websocket=True, upstream=None))
