"""Reads the answer to a handshake: a service that switches protocols gets a tunnel, any other answer is ordinary.

Laws:
 - A switch that was not asked for, or is not to the protocol that was asked for, is a fault of the service.
 - A head costs time linear in its bytes, and at most MAX_HEAD_BYTES are kept of it.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

from gateway.kernel.faults import (
    UPSTREAM_HEADERS_TOO_LARGE,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_STREAMS_FULL,
    Fault,
    GatewayError,
)
from gateway.kernel.http.request_headers import connection_options
from gateway.net.waiter import Waiter
from gateway.upstream.call import Answer, Call, Fields
from gateway.upstream.http1.framing import MAX_HEAD_BYTES
from gateway.upstream.tunnel import Tunnel

SWITCHED = 101
_SWITCHES = (b"HTTP/1.1 101 ", b"HTTP/1.1 101\r")
_INTERIM = b"HTTP/1.1 1"
_BEGUN = len(_SWITCHES[0])
_BLANK = b"\r\n\r\n"
_NOT_IN_A_HEAD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n|\r\n[ \t]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)", re.DOTALL)


class HandshakeConnection(Protocol):
    """The connection that has sent a handshake, and that takes any answer but a switch."""

    closed: GatewayError | None

    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def fail(self, error: Exception) -> None: ...
    def abandon(self) -> None: ...
    def hand_over(self) -> None: ...


class UpgradeReader(asyncio.Protocol):
    """Stands between the socket and its `connection` from the handshake `call` on until the answer to it has begun.

    `waiter` gets the answer that opens a tunnel, if `may_stream` says that there is place for one. `target` is the
    address of the service, for the log.
    """

    def __init__(
        self,
        connection: HandshakeConnection,
        transport: asyncio.Transport,
        waiter: Waiter[Answer],
        call: Call,
        target: str,
        may_stream: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._waiter = waiter
        self._call = call
        self._target = target
        self._may_stream = may_stream
        self._received = bytearray()
        self._searched = 0
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        while self._connection.closed is None:
            begun = bytes(received[:_BEGUN])
            interim = begun.startswith(_INTERIM[: len(begun)])
            if len(begun) < _BEGUN and interim:
                return
            if not interim:
                self._step_aside()
                return
            end = received.find(_BLANK, max(0, self._searched - len(_BLANK) + 1))
            if end < 0:
                self._searched = len(received)
                if len(received) > MAX_HEAD_BYTES:
                    self._fail(UPSTREAM_HEADERS_TOO_LARGE, "the reply's head is too large")
                return
            head = bytes(received[: end + len(_BLANK)])
            del received[: end + len(_BLANK)]
            self._searched = 0
            if begun.startswith(_SWITCHES):
                self._switch(head, bytes(received))
                return
            self._connection.data_received(head)  # an interim reply

    def eof_received(self) -> None:
        self._step_aside()
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def _step_aside(self) -> None:
        """Hand the socket, and what has arrived, to the connection."""
        self._transport.set_protocol(self._connection)  # type: ignore[arg-type]  # it is one
        if self._received:
            self._connection.data_received(bytes(self._received))

    def _switch(self, head: bytes, early: bytes) -> None:
        fields = _fields(head)
        if fields is None or not _is_websocket(fields):
            self._fail(UPSTREAM_PROTOCOL_ERROR, "the upstream switched to something that was not asked for")
            return
        if not self._may_stream():
            self._fail(UPSTREAM_STREAMS_FULL, "replies that stream have their share of connections")
            return
        call = self._call
        tunnel = Tunnel(
            self._connection,
            self._transport,
            asyncio.get_running_loop(),
            early=early,
            idle_s=call.events_idle_timeout_s,
            mask=call.upgrade_mask,
        )
        self._transport.set_protocol(tunnel)
        self._connection.hand_over()
        self._waiter.set_result(Answer(SWITCHED, fields, b"", tunnel, None, self._target))

    def _fail(self, fault: Fault, cause: str) -> None:
        self._connection.fail(GatewayError(fault, cause=f"{self._target}: {cause}"))


def _fields(head: bytes) -> Fields | None:
    """Return the fields of a complete head, None when it is not valid (RFC 9112, 5)."""
    lines = head[: -len(_BLANK)]
    if _NOT_IN_A_HEAD.search(lines):
        return None
    fields: Fields = []
    for line in lines.split(b"\r\n")[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        fields.append((field[1].lower(), field[2].strip(b" \t")))
    return fields


def _is_websocket(fields: Fields) -> bool:
    upgrade = [value.lower() for name, value in fields if name == b"upgrade"]
    connection = [value.decode("latin-1") for name, value in fields if name == b"connection"]
    return upgrade == [b"websocket"] and b"upgrade" in connection_options(connection)
