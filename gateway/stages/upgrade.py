"""Handshakes of WebSockets: which routes take them, what the service is asked, and the reply that opens a tunnel."""

from uuid import UUID

from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import MALFORMED_REQUEST, UPGRADE_UNSUPPORTED, GatewayError
from gateway.kernel.http.response_headers import Line, screen
from gateway.table import Route, Sender
from gateway.upstream.call import Answer, Call

SWITCHED = 101
_ASKS = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_AGREES: tuple[Line, ...] = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
_MASK_BYTES = 4


def require_upgrade(x: Exchange, route: Route) -> Sender:
    """Return where the handshake goes.

    Raises GatewayError UPGRADE_UNSUPPORTED when `route` takes none, and MALFORMED_REQUEST for one with a body.
    """
    if not route.websocket or route.upstream is None:
        raise GatewayError(UPGRADE_UNSUPPORTED)
    if x.body is not None:
        raise GatewayError(MALFORMED_REQUEST, developer_message="The handshake of a WebSocket has no body.")
    return route.upstream


def ask_to_switch(x: Exchange, call: Call) -> Call:
    """Make `call` a handshake and return it. Connection and Upgrade are for one hop, and made anew for the next."""
    call.head = (*call.head, _ASKS)
    call.upgrade_mask = UUID(x.request_id).bytes[:_MASK_BYTES]
    return call


def switched(answer: Answer, route: Route) -> Reply:
    """Return the reply to a handshake that the service has agreed to. Its stream is the tunnel."""
    screened = screen(answer.fields, route.response_rules)
    fields = [*_AGREES, *screened.lines[1:]]
    return Reply(answer.status, fields, b"", source="upstream", stream=answer.stream)
