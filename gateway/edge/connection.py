"""A client connection: answers its requests in order, with one reply each.

Law: no connection occupies the event loop. After a few requests that had arrived already other connections are served.
"""

import asyncio
from enum import Enum
from functools import partial
from typing import Any, cast

from aiohttp import StreamReader
from aiohttp.streams import EMPTY_PAYLOAD

from gateway.edge.reply_writer import ReplyWriter
from gateway.edge.request_body import ClientBody
from gateway.edge.request_head import body_length
from gateway.kernel.faults import MALFORMED_REQUEST, SHUTTING_DOWN, GatewayError

LINGER_S = 1.0
"""The seconds for which a connection is read and discarded after its last reply.

Closing at once may reset the connection before the reply has arrived.
"""
TURN_REQUESTS, TURN_S = 4, 0.001
"""The most requests of one connection that are answered in a row when they have arrived already, and the most seconds.
"""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TLS_REQUIRED = partial(
    GatewayError,
    MALFORMED_REQUEST,
    developer_message="This address speaks https only. Write https:// at the beginning of the URL.",
)


class ConnectionState(Enum):
    """The states of a client connection."""

    CLOSED = "closed"
    IDLE = "idle"
    READING_HEAD = "reading a head"
    ANSWERING = "answering"
    LINGERING = "lingering"
    """The last reply was sent, and the rest of what the client sends is discarded."""


class ClientConnection(ReplyWriter):
    """aiohttp's connection with our own loop.

    `plain` is set for a client that sends http where https is required: each of its requests is answered with an error.
    `_serving` says that requests are taken from the queue at present, or will be in a later iteration of the loop.
    """

    __slots__ = ("_serving",)

    def __init__(self, *arguments: Any, plain: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._rejection = _TLS_REQUIRED if plain else None
        self._serving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._core.open(cast(asyncio.Transport, transport), self)
        super().connection_made(transport)
        self._become_idle()

    @property
    def state(self) -> ConnectionState:
        """The present state."""
        if self.transport is None:
            return ConnectionState.CLOSED
        if self._lingering is not None:
            return ConnectionState.LINGERING
        if self._core.exchange is not None:
            return ConnectionState.ANSWERING
        return ConnectionState.IDLE if self._head_since is None else ConnectionState.READING_HEAD

    def __repr__(self) -> str:
        return f"<ClientConnection {self.state.value}{', closing' if self._close or not self._core.keep else ''}>"

    def _serve(self) -> None:
        """Answer the requests of the queue in order, until one has to wait or the queue is empty."""
        if self._serving or self._core.exchange is not None or self._lingering is not None:
            return
        self._serving = True
        monotonic = self._listener.head_checker.monotonic
        began, answered = 0.0, 0  # of the requests that are answered in a row
        while self._core.keep and not self._force_close:
            if not self._messages:
                if self._eof and not self._close and self._head_since is not None:
                    self._reject_incomplete_head()
                    continue
                if self._close or self._eof:
                    break
                self._serving = False
                self._become_idle()
                return
            if not answered:
                began = monotonic()
            elif answered >= TURN_REQUESTS or monotonic() - began > TURN_S:
                self._loop.call_soon(self._serve_on)
                return
            message: Any
            message, payload = self._messages.popleft()
            if self._parser is not None:
                self._parser.message_consumed()
            if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
                self._resume_reading_if_drained()
            if not self._answer(message, payload):
                self._serving = False
                return
            answered += 1
        self._serving = False
        if self._lingering is None:
            self.force_close()

    def _go_on(self) -> None:
        """Go on after an exchange has ended."""
        if self._messages or self._close or self._eof or self._force_close or not self._core.keep:
            self._serve()
        else:
            self._become_idle()

    def _become_idle(self) -> None:
        """Note that no request is served, and none is in the queue. Part of one may have arrived."""
        self._core.idle_since = self._listener.head_checker.monotonic()
        self._core.alone = (
            self._splitter.idle
            and self._head_since is None
            and self._last_payload.is_eof()
            and self._rejection is None
            and not (self._upgraded or self._eof)
        )
        if self._core.alone:  # what plain requests have in common is set once
            self._payload = self._last_payload = EMPTY_PAYLOAD
            self._http10 = False

    def _serve_on(self) -> None:
        self._serving = False
        self._serve()

    def _answer(self, message: Any, payload: StreamReader) -> bool:
        """Begin to serve one request, and return whether it is served already.

        `keep` of the core says afterwards whether the connection stays open.
        """
        listener = self._listener
        if isinstance(message, GatewayError):
            x = listener.head_checker.error_exchange(message, self._core.peer)
            self._core.keep = self._http10 = False
        else:
            x = listener.head_checker.to_exchange(message, self._core.peer)
            if self._rejection is not None:
                x.head_error = self._rejection()
            self._core.keep = not (message.should_close or message.chunked or message.upgrade) and x.head_error is None
            self._http10 = message.version == (1, 0)
            if payload is not EMPTY_PAYLOAD:
                self._body_since = x.started
                confirm = self._confirm if "Expect" in message.headers and not self._http10 else None
                head_checker = listener.head_checker
                x.body = ClientBody(
                    payload,
                    body_length(message.headers),
                    head_checker.limits.body_bytes,
                    confirm,
                    head_checker.monotonic,
                )
        self._core.exchange, self._payload = x, payload
        ended = self._core.driver.run(listener.state.serve(x, self._send), self.exchange_ended)
        if ended:
            self._conclude()
        return ended

    def _conclude(self) -> None:
        """Note that the exchange has ended."""
        self._core.exchange = self._body_since = None
        if not self._core.keep and not self._eof:
            self._linger()

    def exchange_ended(self, error: BaseException | None) -> None:
        """Note that the exchange has ended after a wait, or with an error, after which the connection is closed."""
        if error is None:
            self._conclude()
        else:
            self._core.exchange = self._body_since = None
            self.force_close()
        self._go_on()

    def _confirm(self) -> None:
        """Ask the client for the body of its request."""
        if self.transport is not None:
            self._listener.write_batch.flush()
            self.transport.write(_CONTINUE)

    def _linger(self) -> None:
        """Discard what the client still sends, until it has closed or LINGER_S has passed. Then close."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if not transport.can_write_eof() and self._payload.is_eof() and not self._close:
            return  # TLS has an end of its own, and nothing is unread that could reset the connection
        self._close = True
        self._listener.write_batch.flush()
        if transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()
        self._lingering = self._loop.call_later(LINGER_S, self._end_lingering)

    def cut(self) -> bool:
        """End the connection. A request in flight is answered with SHUTTING_DOWN, or its reply is broken off.

        Return whether a request was in flight.
        """
        if self._tunnel is not None:
            self._tunnel.go_away(GatewayError(SHUTTING_DOWN))
            return True
        x = self._core.exchange
        if x is None:
            self.force_close()
        elif x.ended is None:
            x.ended = GatewayError(SHUTTING_DOWN)
            self._core.driver.cancel()
        return x is not None
