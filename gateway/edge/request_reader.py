"""Reads requests from a client connection into the queue, and ends what does not arrive in time."""

import asyncio
import select
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import StreamReader
from aiohttp.streams import EMPTY_PAYLOAD

from gateway.edge.certificates import verified_subject
from gateway.edge.head_splitter import HeadSplitter
from gateway.edge.request_head import Peer, body_length
from gateway.edge.write_progress import ClientConnectionOwner, WriteProgress
from gateway.kernel.faults import (
    CLIENT_CLOSED,
    HEADERS_TOO_LARGE,
    MALFORMED_REQUEST,
    REQUEST_TIMEOUT,
    TOO_MANY_CONNECTIONS,
    GatewayError,
)
from gateway.net.address import UNIX
from gateway.net.node_names import unmapped
from gateway.upstream.tunnel import Tunnel

GRACE_S = 0.5
"""For how many seconds a client that has closed its sending side still gets an answer. Then it counts as gone."""
SLOWEST_BYTES_PER_S = 16 * 1024
"""A body may take longer than its time-out while it arrives at this rate, at which replies have to be read, too."""
_TOO_MANY = partial(GatewayError, TOO_MANY_CONNECTIONS)
_REQUEST_LINE_BYTES = 1024
"""An upper bound of what a request line contains besides the URL."""


class RequestReader(WriteProgress):
    """The receiving half of a connection. The listener calls `sweep` a few times a second.

    `client_address` is the address of the client where a proxy has sent it, None where the socket has it. `_rejection`
    makes the error that answers every request; None means that requests are served. `_payload` is the body of the
    exchange under way, and `_last_payload` that of the newest request in the queue. `_head_bytes` counts the bytes of
    the head that is arriving. `_lingering` closes the connection after its last reply, unless the client does so
    before; None as long as there may be further replies.
    `_tunnel` is what the connection has become, None for none.
    """

    __slots__ = (
        "_body_since", "_client_address", "_eof", "_head_bytes", "_head_since", "_last_payload", "_lingering",
        "_payload", "_rejection", "_secure", "_splitter", "_tunnel", "data_received",
    )  # fmt: skip
    data_received: Callable[[bytes], None]  # type: ignore[assignment]  # not a method: the transport calls the core

    def __init__(self, listener: ClientConnectionOwner, client_address: str | None = None, **options: Any) -> None:
        super().__init__(listener, **options)
        self._client_address = client_address
        self._secure = False
        self._rejection: Callable[[], GatewayError] | None = None
        self._payload: StreamReader = EMPTY_PAYLOAD
        self._last_payload: StreamReader = EMPTY_PAYLOAD
        self._splitter = HeadSplitter(listener.head_checker.limits.url_bytes)
        self._head_bytes = 0
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._eof = False
        self._lingering: asyncio.TimerHandle | None = None
        self._tunnel: Tunnel | None = None
        self.data_received = self._core.data_received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = transport.get_extra_info("peername")
        address = self._client_address or (unmapped(name[0]) if isinstance(name, tuple) and name else UNIX)
        self._secure = transport.get_extra_info("sslcontext") is not None
        scheme = "https" if self._secure else "http"
        subject = verified_subject(transport.get_extra_info("ssl_object")) if self._secure else ""
        self._core.peer = Peer(address, scheme, self._listener.head_checker.trusts(address), subject)
        super().connection_made(transport)
        if self._listener.rejects():
            self._rejection = _TOO_MANY

    def receive(self, data: bytes) -> None:
        """Feed the parser piece by piece, while the queue of requests has space."""
        if self._core.alone:
            self._core.alone = False
        elif self._force_close or self._close or self._upgraded:
            if self._upgraded:
                self._behind_handshake(data)
            return
        splitter = self._splitter
        if splitter.rejected_line is not None:
            if not splitter.extend_line(data):
                self._reject(self._listener.head_checker.parse_error(*splitter.rejected_line), in_body=False)
            return
        splitter.receive(data)
        while splitter.has_piece and not self._is_done():
            if len(self._messages) >= self._max_msg_queue_size:
                if not self._buffer_paused:
                    self._pause_reading_for_buffer()
                break
            self._feed(splitter.piece())
        self._serve()

    def _serve(self) -> None:
        """Answer the requests of the queue, unless one is being answered."""
        raise NotImplementedError

    def _behind_handshake(self, data: bytes) -> None:
        """Pass on what belongs to a tunnel. Until the service has agreed to one, no more is read than this piece."""
        if self._tunnel is not None:
            self._tunnel.from_client(data)
        elif self.transport is not None and not (self._close or self._force_close):
            self._splitter.receive(data)
            self.transport.pause_reading()

    def _is_done(self) -> bool:
        return bool(self._force_close or self._close or self._upgraded)  # nothing that still arrives is a request

    def _feed(self, data: bytes) -> None:
        """Give a piece to the parser, and its requests to the queue."""
        assert self._parser is not None
        between = self._last_payload.is_eof()
        if between:
            self._head_bytes += len(data)
        try:
            messages, self._upgraded, _ = self._parser.feed_data(data)
        except Exception as error:  # whatever the parser raises, its cause is what the client has sent
            if between and self._splitter.reject_line(error, data):
                self._head_since = self._head_since or self._listener.head_checker.monotonic()
            else:
                self._reject(
                    self._listener.head_checker.parse_error(error, data), in_body=not self._last_payload.is_eof()
                )
            return
        limits = self._listener.head_checker.limits
        if messages:
            self._last_payload = payload = messages[-1][1]
            if payload is not EMPTY_PAYLOAD:  # behind a body in chunks there is no other request
                length = body_length(messages[-1][0].headers)
                self._splitter.body_missing = sys.maxsize if length is None else max(0, length - payload.total_bytes)
            if self._head_bytes > limits.header_bytes:
                self._check_sizes(messages)
            self._head_bytes = 0
            self._head_since = None
            self._splitter.in_head = False
            self._messages.extend(messages)
        elif between and data:
            if self._head_since is None:
                self._head_since = self._listener.head_checker.monotonic()
                self._splitter.in_head = True
            if self._head_bytes > limits.header_bytes + limits.url_bytes + _REQUEST_LINE_BYTES:
                self._reject(GatewayError(HEADERS_TOO_LARGE), in_body=False)

    def _check_sizes(self, messages: Any) -> None:
        """Replace each message whose header fields are too large by the error that answers it."""
        limit = self._listener.head_checker.limits.header_bytes
        for position, (message, payload) in enumerate(messages):
            if sum(len(name) + len(value) + 4 for name, value in message.raw_headers) > limit:
                messages[position] = (GatewayError(HEADERS_TOO_LARGE), payload)

    def _reject(self, error: GatewayError, *, in_body: bool) -> None:
        """Answer `error` after the queued requests, or the request whose body is broken with it. Then close."""
        self._close, self._core.alone = True, False
        self._splitter.clear()
        if in_body:
            self._last_payload.set_exception(error)
            return
        self._messages.append((error, EMPTY_PAYLOAD))  # type: ignore[arg-type]  # only our own loop reads the queue
        self._serve()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio allows it; aiohttp just never needs it
        self._eof, self._core.alone = True, False
        self._listener.write_batch.flush()
        if self._lingering is not None:  # the client has read the end
            self._end_lingering()
            return False
        if self._tunnel is not None:
            self._tunnel.client_left()
            return not self._secure
        if self._secure:  # TLS is closed in both directions at once
            return False
        if self._core.exchange is None and not self._messages:
            if self._head_since is None:
                return False
            self._reject_incomplete_head()
        elif not self._last_payload.is_eof():
            self._last_payload.set_exception(GatewayError(MALFORMED_REQUEST, cause="the body broke off"))
        self._loop.call_later(GRACE_S, self._cancel_if_gone, self._core.written)
        return True

    def _reject_incomplete_head(self) -> None:
        self._reject(GatewayError(MALFORMED_REQUEST, cause="the head broke off"), in_body=False)

    def _cancel_if_gone(self, written: int) -> None:
        """Cancel the exchange of a client that has closed its side, when nothing was written since `written`."""
        if self.transport is None or self._core.exchange is None:
            return
        if self._core.written != written:
            self._loop.call_later(GRACE_S, self._cancel_if_gone, self._core.written)
        else:
            self._core.driver.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._rejection is _TOO_MANY:
            self._listener.rejected -= 1
        self._end_lingering()
        if self._tunnel is not None:
            self._tunnel.client_left()
        super().connection_lost(exc)
        self._core.driver.cancel()
        self._core.close()
        # An exchange that still refers to this connection must keep no body in memory.
        self._payload = self._last_payload = EMPTY_PAYLOAD
        self._splitter.clear()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._tunnel is not None:
            self._tunnel.client_full()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._tunnel is not None:
            self._tunnel.client_drained()

    def _end_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
            self.force_close()

    def force_close(self) -> None:
        self._core.alone = False
        self._listener.write_batch.flush()
        super().force_close()

    def sweep(self, now: float) -> None:
        """End what has exceeded its time.

        `now` is of the head checker's clock, as the loop's does not advance in callbacks.
        """
        limits = self._listener.head_checker.limits
        self._update_unread()
        if self._stalled_since is not None and self.transport is not None:
            self._unacknowledged = untaken = self._unacknowledged_bytes()
            if now - self._stalled_since > limits.body_timeout_s:
                if self._stalled_bytes - untaken < SLOWEST_BYTES_PER_S * limits.body_timeout_s:
                    self._cut_slow_reader()
                self._stalled_since, self._stalled_bytes = now, untaken
        elif self._core.exchange is not None:
            self._sweep_body(now, limits.body_timeout_s)
        elif not self._messages and self._lingering is None and self.transport is not None:  # else it waits or closes
            if self._head_since is not None:
                if now - self._head_since > limits.header_timeout_s:
                    self._reject(GatewayError(REQUEST_TIMEOUT), in_body=False)
            elif (
                now - max(self._core.idle_since, self._listener.stopped_at) > self._longest_idle_s()
                and not self._has_unread()
            ):
                self.force_close()

    def _cut_slow_reader(self) -> None:
        assert self.transport is not None
        if self._core.exchange is not None and self._core.exchange.error is None:
            self._core.exchange.error = GatewayError(CLIENT_CLOSED, cause="the client took the reply too slowly")
        self.transport.abort()

    def _longest_idle_s(self) -> float:
        """Return for how many seconds the connection may be idle."""
        longest_s = self._listener.idle_timeout_s
        if self._rejection is None:
            return longest_s
        return min(longest_s, self._listener.head_checker.limits.header_timeout_s)

    def _has_unread(self) -> bool:
        """Return whether the socket holds bytes that the event loop has not read yet."""
        assert self.transport is not None
        unread = select.poll()
        unread.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(unread.poll(0))

    def _sweep_body(self, now: float, timeout_s: float) -> None:
        """End a body that arrives too slowly."""
        payload = self._payload
        if self._body_since is None or payload.is_eof():
            return
        if self._reading_paused:  # the gateway does not read
            self._body_since += self._listener.SWEEP_S
        elif now - self._body_since > timeout_s + payload.total_bytes / SLOWEST_BYTES_PER_S:
            payload.set_exception(GatewayError(REQUEST_TIMEOUT))
