"""What arrives on a client connection: requests for the queue, each part within its time.

Law: what arrives costs time linear in its bytes: the end of a head is looked for where one can be, and nowhere twice.
"""

import asyncio
import re
import select
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import StreamReader
from aiohttp.streams import EMPTY_PAYLOAD

from gateway.edge.certificates import verified_subject
from gateway.edge.request_head import Peer, body_length
from gateway.edge.write_progress import Outflow
from gateway.kernel.faults import CLIENT_CLOSED, HEADERS_TOO_LARGE, MALFORMED_REQUEST, REQUEST_TIMEOUT, TOO_MANY_CONNECTIONS, GatewayError
from gateway.net.address import UNIX
from gateway.net.node_names import unmapped

if TYPE_CHECKING:
    from gateway.edge.listener import Listener

GRACE_S = 0.5
"""A client that has closed its sending side still gets an answer that is ready this soon; after that it counts as gone."""
SLOWEST_BYTES_PER_S = 16 * 1024
"""A body may take its time-out, and beyond that as long as it keeps up this rate; a reply is taken at this rate in every such span."""
_TOO_MANY = partial(GatewayError, TOO_MANY_CONNECTIONS)
_HEAD_END = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"(?:\r\n)*+")
_REQUEST_LINE_BYTES = 1024
"""What a request line holds besides the URL, generously."""


class RequestReader(Outflow):
    """The receiving half of a connection. The listener calls `sweep` a few times a second.

    `told` is the address of the client where somebody else has said it, None where the socket knows.
    `_refusal` makes what every request is answered, None: they are served.
    `_payload` is the body of the exchange under way, `_last_payload` that of the newest request in the queue.
    `_untaken` is how many bytes a client that is waited for had not acknowledged when that was last checked.
    """

    __slots__ = (
        "_backlog", "_body_left", "_body_since", "_eof", "_fed", "_garbled", "_head_since", "_last_payload", "_lost", "_payload",
        "_refusal", "_secure", "_since", "_tail", "_told",
    )  # fmt: skip

    def __init__(self, listener: "Listener", told: str | None = None, **options: Any) -> None:
        super().__init__(listener, **options)
        self._told = told
        self._secure = False
        self._refusal: Callable[[], GatewayError] | None = None
        self._payload: StreamReader = EMPTY_PAYLOAD
        self._last_payload: StreamReader = EMPTY_PAYLOAD
        self._body_left = 0  # bytes of a body that have not arrived yet; behind chunks there is no other request
        self._backlog = b""  # what the queue had no room for
        self._tail = b""  # of the newest piece: the end of a head may straddle two
        self._garbled: tuple[Exception, bytes] | None = None  # a request line that the parser refused before its end
        self._fed = 0
        self._since = self._listener.door.monotonic()
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._eof = False
        self._lost: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = transport.get_extra_info("peername")
        address = self._told or (unmapped(name[0]) if isinstance(name, tuple) and name else UNIX)
        self._secure = transport.get_extra_info("sslcontext") is not None
        scheme = "https" if self._secure else "http"
        subject = verified_subject(transport.get_extra_info("ssl_object")) if self._secure else ""
        self._peer = Peer(address, scheme, self._listener.door.trusts(address), subject)
        super().connection_made(transport)
        if self._listener.rejects():
            self._refusal = _TOO_MANY

    def data_received(self, data: bytes) -> None:
        """Feed the parser head by head: it forgets the requests before a broken one in the same piece."""
        if self._is_done():
            return
        if self._backlog:
            data, self._backlog = self._backlog + data, b""
        if self._garbled is not None:
            self._garbled = error, line = self._garbled[0], self._garbled[1] + data
            if not self._listener.door.still_undecided(len(line), data):
                self._refuse(self._listener.door.unparsable(error, line), in_body=False)
            return
        at = 0
        if self._head_since is not None and (end := (self._tail + data[:3]).find(_HEAD_END)) >= 0:
            at = end + 4 - len(self._tail)
            self._feed(data[:at])
        while not (self._is_done() or self._garbled):
            if len(self._messages) >= self._max_msg_queue_size:
                self._backlog = data[at:]
                if not self._buffer_paused:
                    self._pause_reading_for_buffer()
                return
            if self._body_left:
                end = min(len(data), at + self._body_left)
                self._body_left -= end - at
                self._feed(data[at:end])
                at = end
                if at < len(data):
                    continue
                self._tail = b""
                return
            begin = _EMPTY_LINES.match(data, at).end() if data.startswith(b"\r\n", at) else at  # type: ignore[union-attr]
            end = data.find(_HEAD_END, begin) + 4
            if end < 4 or end == len(data):
                if at < len(data) or not data:
                    self._feed(data[at:] if at else data)
                self._tail = data[-3:] if len(data) >= 3 else (self._tail + data)[-3:]
                return
            self._feed(data[at:end])
            at = end

    def _is_done(self) -> bool:  # whether nothing that arrives now is a request
        return bool(self._force_close or self._close or self._upgraded)

    def _feed(self, data: bytes) -> None:
        assert self._parser is not None
        between = self._last_payload.is_eof()
        if between:
            self._fed += len(data)
        try:
            messages, self._upgraded, _ = self._parser.feed_data(data)
        except Exception as error:  # whatever the parser raises, it raises over what the client sent
            if between and self._listener.door.undecided(error, data):
                self._garbled = (error, data)
                self._head_since = self._head_since or self._listener.door.monotonic()
            else:
                self._refuse(self._listener.door.unparsable(error, data), in_body=not self._last_payload.is_eof())
            return
        limits = self._listener.door.limits
        if messages:
            if self._fed > limits.header_bytes:
                self._check_sizes(messages)
            self._fed = 0
            self._head_since = None
            self._messages.extend(messages)
            self._last_payload = payload = messages[-1][1]
            if payload is not EMPTY_PAYLOAD:
                length = body_length(messages[-1][0].headers)
                self._body_left = sys.maxsize if length is None else max(0, length - payload.total_bytes)
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
        elif between and data:
            if self._head_since is None:
                self._head_since = self._listener.door.monotonic()
            if self._fed > limits.header_bytes + limits.url_bytes + _REQUEST_LINE_BYTES:
                self._refuse(GatewayError(HEADERS_TOO_LARGE), in_body=False)

    def _check_sizes(self, messages: Any) -> None:
        limit = self._listener.door.limits.header_bytes
        for position, (message, payload) in enumerate(messages):
            if sum(len(name) + len(value) + 4 for name, value in message.raw_headers) > limit:
                messages[position] = (GatewayError(HEADERS_TOO_LARGE), payload)

    def _refuse(self, error: GatewayError, *, in_body: bool) -> None:
        """Answer `error` after what is queued, or in place of the request whose body is broken; then close."""
        self._close = True
        self._garbled, self._backlog = None, b""
        if in_body:
            self._last_payload.set_exception(error)
            return
        self._messages.append((error, EMPTY_PAYLOAD))  # type: ignore[arg-type]  # only our own loop reads the queue
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio allows it; aiohttp just never needs it
        self._eof = True
        self._listener.outbox.flush()
        if self._lost is not None:  # the client has seen the end
            self._end_lingering()
            return False
        if self._secure:  # TLS is closed in both directions at once
            return False
        if self._exchange is None and not self._messages:
            if self._head_since is None:
                return False
            self._refuse_half_a_head()
        elif not self._last_payload.is_eof():
            self._last_payload.set_exception(GatewayError(MALFORMED_REQUEST, cause="the body broke off"))
        self._loop.call_later(GRACE_S, self._gone, self._written)
        return True

    def _refuse_half_a_head(self) -> None:
        self._refuse(GatewayError(MALFORMED_REQUEST, cause="the head broke off"), in_body=False)

    def _gone(self, written: int) -> None:
        if self.transport is None or self._task_handler is None:
            return
        if self._written != written:
            self._loop.call_later(GRACE_S, self._gone, self._written)
        elif self._lost is None:
            self._task_handler.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._refusal is _TOO_MANY:
            self._listener.rejected -= 1
        self._end_lingering()
        super().connection_lost(exc)
        self._payload = self._last_payload = EMPTY_PAYLOAD  # whatever still waits for this connection holds no body
        self._backlog = self._tail = b""

    def _end_lingering(self) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)

    def force_close(self) -> None:
        self._listener.outbox.flush()
        super().force_close()

    def sweep(self, now: float) -> None:
        """End what has outlived its time. `now` is a reading of the door's clock: the loop's own stands still during a turn."""
        limits = self._listener.door.limits
        self._note_unread()
        if self._stalled_since is not None and self.transport is not None:
            self._untaken = untaken = self._untaken_bytes()
            if now - self._stalled_since > limits.body_timeout_s:
                if self._stalled_bytes - untaken < SLOWEST_BYTES_PER_S * limits.body_timeout_s:
                    self._give_up_slow_reader()
                self._stalled_since, self._stalled_bytes = now, untaken
        elif self._exchange is not None:
            self._sweep_body(now, limits.body_timeout_s)
        elif self._waiter is not None and not self._waiter.done():  # else a request has come that the loop has not turned to yet
            if self._head_since is not None:
                if now - self._head_since > limits.header_timeout_s:
                    self._refuse(GatewayError(REQUEST_TIMEOUT), in_body=False)
            elif now - max(self._since, self._listener.parted_at) > self._patience_s() and not self._has_unread():
                self.force_close()

    def _give_up_slow_reader(self) -> None:
        assert self.transport is not None
        if self._exchange is not None and self._exchange.error is None:
            self._exchange.error = GatewayError(CLIENT_CLOSED, cause="the client took the reply too slowly")
        self.transport.abort()

    def _patience_s(self) -> float:
        """How long the connection may be idle."""
        longest_s = self._listener.idle_timeout_s
        return longest_s if self._refusal is None else min(longest_s, self._listener.door.limits.header_timeout_s)

    def _has_unread(self) -> bool:
        """Whether something has arrived that the event loop has not come to yet."""
        assert self.transport is not None
        unread = select.poll()
        unread.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(unread.poll(0))

    def _sweep_body(self, now: float, timeout_s: float) -> None:
        payload = self._payload
        if self._body_since is None or payload.is_eof():
            return
        if self._reading_paused:  # it is us who do not read
            self._body_since += self._listener.SWEEP_S
        elif now - self._body_since > timeout_s + payload.total_bytes / SLOWEST_BYTES_PER_S:
            payload.set_exception(GatewayError(REQUEST_TIMEOUT))
