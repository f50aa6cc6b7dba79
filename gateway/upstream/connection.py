"""One connection to an upstream: sends calls, receives the replies in time, and decides whether it may serve another.

Laws:
 - It serves another call only after a reply that was complete, kept alive and followed by nothing, and only when both
   sides agree where the request and the reply end: not after a body that the method does not define, nor after a body
   that a reply of 300 or more may have left unread, nor after a reply without the body that it announces. Bytes that
   arrive between calls close it. So does the end of a stream of events: services that write these by hand often ignore
   a second request.
 - A call that is given up, for whatever reason, closes its connection: `_discard` is the only way out, and runs once.
   Nothing refers in a circle to a discarded connection: it is freed at once, and the call with it.
"""

import asyncio
import math

from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    CLIENT_CLOSED,
    UPSTREAM_INCOMPLETE,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_RESET,
    UPSTREAM_STREAMS_FULL,
    UPSTREAM_TIMEOUT,
    GatewayError,
)
from gateway.net.loop_budget import LARGE_BYTES, LoopBudget
from gateway.net.write_batch import WriteBatch
from gateway.upstream.call import Answer, Call
from gateway.upstream.connection_shares import ConnectionOwner
from gateway.upstream.connection_socket import ConnectionSocket, UpstreamConnectionState
from gateway.upstream.deadlines import Deadlines
from gateway.upstream.framing import STREAMED, Origin, ambiguous_from, kind_of, request_head
from gateway.upstream.request_body import PIECE_BYTES, BodyPieces, BodySource, send_body
from gateway.upstream.response_parser import ResponseParser
from gateway.upstream.response_stream import ResponseStream
from gateway.upstream.tls import ended_cleanly


class UpstreamConnection(ConnectionSocket):
    """`target` names the other end, `origin` is what it adds to heads. Deadlines are readings of `clock.monotonic`.

    `died_unanswered`: it ended, or broke, before the first byte of the reply.
    """

    _call: Call

    def __init__(
        self,
        owner: ConnectionOwner["UpstreamConnection"],
        target: str,
        origin: Origin,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        write_batch: WriteBatch,
        loop_budget: LoopBudget,
    ) -> None:
        super().__init__(loop)
        self._owner = owner
        self._target = target
        self._origin = origin
        self._clock = clock
        self._write_batch = write_batch
        self._loop_budget = loop_budget
        self._waiter: asyncio.Future[Answer] | None = None
        self._buffer = bytearray()
        self._stream: ResponseStream | None = None
        self._upload: asyncio.Task[None] | None = None
        self._upload_cut = False
        self._events, self._ambiguous_from = False, 0
        self.died_unanswered = False

    def __repr__(self) -> str:
        return f"<UpstreamConnection to {self._target}, {self.state.value}>"

    @property
    def state(self) -> UpstreamConnectionState:
        if self.closed is not None:
            return UpstreamConnectionState.CLOSED
        if self.peer is None:
            return UpstreamConnectionState.CONNECTING
        if self._waiter is None:
            return UpstreamConnectionState.IDLE
        if self._stream is not None:
            return UpstreamConnectionState.STREAMING
        return UpstreamConnectionState.RECEIVING if self._upload is None else UpstreamConnectionState.SENDING

    # For the pool

    def begin(self, call: Call, first: bytes, now: float) -> asyncio.Future[Answer]:
        """Send `call`.

        The future gets its answer or an exception. `first` is the piece that was already read of its Body.
        Raises GatewayError when the connection has ended already.
        """
        if self.closed is not None:
            raise self.closed
        self._reply.begin(head_only=call.method == b"HEAD")
        self._buffer.clear()
        self._call = call
        call.handed = True
        self._waiter = waiter = self._loop.create_future()
        body = call.body
        self._ambiguous_from = ambiguous_from(call.method, with_body=body != b"")
        if isinstance(body, bytes) and len(body) <= PIECE_BYTES:
            self._write_batch.put(self._transport, request_head(call, self._origin, len(body)) + body)
            self._deadline.sent(call, now)
        else:
            source: BodySource = BodyPieces(body) if isinstance(body, bytes) else body
            head = request_head(call, self._origin, source.length)
            self._deadline.sending(call)
            self._upload = self._loop.create_task(
                self._send(head, body[:PIECE_BYTES] if isinstance(body, bytes) else first, source)
            )
        return waiter

    async def answer(self, call: Call, waiter: "asyncio.Future[Answer]") -> Answer:
        """Wait for the answer to `call`. A caller that is cancelled here has given the call up."""
        try:
            answer = await waiter
        except asyncio.CancelledError:
            if self._waiter is waiter:
                self._discard(GatewayError(UPSTREAM_INCOMPLETE, cause="given up"))
            if waiter.done() and not waiter.cancelled():
                waiter.exception()
            raise
        call.body = b""  # it is not sent again, and a slow client must not keep it in memory
        return answer

    def abandon(self) -> None:
        self._discard(GatewayError(UPSTREAM_INCOMPLETE, cause="given up"))

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._reply = ResponseParser()  # not earlier: a connection that is refused is never discarded
        self._deadline = Deadlines(self._expired, self._clock, self._loop)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self._discard(GatewayError(UPSTREAM_PROTOCOL_ERROR, cause=f"{self._target}: the upstream spoke unasked"))
            return
        reply = self._reply
        try:
            reply.feed(data)
        except GatewayError as error:
            error.cause = f"{self._target}: {error.cause}"
            self.fail(error)
            return
        if reply.complete:
            self._finish()
        elif reply.status:
            self._progress()

    def eof_received(self) -> None:
        if self._waiter is None:
            self._discard(GatewayError(UPSTREAM_RESET, cause=f"{self._target}: the upstream closed the connection"))
            return
        peer = self._transport.get_extra_info("ssl_object")
        if (peer is None or ended_cleanly(peer)) and self._reply.end():
            self._finish()
        else:
            self._broke("the upstream closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._broke(f"the connection broke: {getattr(exc, 'strerror', None) or exc or 'cut off'}")
        super().connection_lost(exc)

    def _expired(self) -> None:
        text = self._deadline.reason(uploading=self._upload is not None)
        self.fail(GatewayError(UPSTREAM_TIMEOUT, cause=f"{self._target}: {text}"))

    # The reply

    def _progress(self) -> None:
        """The final head is complete, the body is not."""
        data = self._reply.take()
        if self._stream is not None:
            if data:
                self._deadline.heard()
                self._stream.feed(data)
            return
        if not self._buffer:
            self._head_arrived()
        self._buffer += data
        call, kind = self._call, kind_of(self._reply.fields, self._buffer)
        if len(self._buffer) <= call.buffer_bytes and call.buffer_bytes and kind not in STREAMED:
            if len(self._buffer) > LARGE_BYTES and self._loop_budget.spent(len(data)):
                self._transport.pause_reading()
                self._loop_budget.later(self._read_on)
            return
        waiter = self._waiter
        assert waiter is not None
        if waiter.done():
            return
        remaining = None if self._reply.length is None else self._reply.length - len(self._buffer)
        if not self._owner.may_stream(self):
            if len(self._buffer) + (remaining or 0) > call.read_ahead_bytes or kind == "events":
                self.fail(
                    GatewayError(
                        UPSTREAM_STREAMS_FULL,
                        cause=f"{self._target}: replies that stream have their share of connections",
                    )
                )
            return
        self._stream = ResponseStream(self, self._clock, self._loop, remaining, call.read_ahead_bytes)
        self._events = kind == "events"
        self._deadline.streams(call.events_idle_timeout_s if self._events else call.idle_timeout_s)
        waiter.set_result(self._answer(bytes(self._buffer), self._stream))
        self._buffer.clear()

    def _read_on(self) -> None:
        if self.closed is None:
            self._transport.resume_reading()

    def _head_arrived(self) -> None:
        if self._upload is None:
            self._deadline.head_arrived()
        elif self._reply.status >= 300:
            # The service will not read the rest (RFC 9112 9.3). Below 300 it may answer while it still reads.
            self._stop_upload()
            self._deadline.all_sent(answered=True)

    def _finish(self) -> None:
        reply, waiter, stream = self._reply, self._waiter, self._stream
        assert waiter is not None
        data = reply.take()
        self._waiter = self._stream = None
        if stream is not None and stream.paused:
            self._transport.resume_reading()
        abandoned = stream is None and waiter.done()  # cancelled just now: the reply belongs to no other caller
        busy = abandoned or self._upload is not None or self._upload_cut or self._transport.get_write_buffer_size()
        ambiguous = self._events or reply.ambiguous or reply.status >= self._ambiguous_from
        if reply.keep and reply.clean and not (busy or ambiguous):
            self._deadline.at = math.inf
            self._owner.release(self, reply.idle_hint_s)
        else:
            self._discard(GatewayError(UPSTREAM_RESET, cause="not kept alive"))
        if stream is not None:
            stream.end(data)
        elif not waiter.done():
            if self._buffer:
                self._buffer += data
                data = bytes(self._buffer)
                self._buffer.clear()
            waiter.set_result(self._answer(data, None))

    def _answer(self, body: bytes, stream: ResponseStream | None) -> Answer:
        reply = self._reply
        return Answer(reply.status, reply.fields, body, stream, reply.length, self._target)

    # Endings

    def fail(self, error: Exception) -> None:
        """Close it at once. A call under way fails with `error`."""
        waiter, stream = self._waiter, self._stream
        self._discard(error if isinstance(error, GatewayError) else GatewayError(UPSTREAM_INCOMPLETE, cause="given up"))
        if stream is not None:
            stream.fail(error)
        elif waiter is not None and not waiter.done():
            waiter.set_exception(error)

    async def _send(self, head: bytes, first: bytes, body: BodySource) -> None:
        try:
            await send_body(head, first, body, self)
        except Exception as error:
            self._upload = None
            self.fail(error.kept() if isinstance(error, GatewayError) else error)
        except asyncio.CancelledError:
            # When the task was not cancelled by `_stop_upload`, the body itself was given up.
            if self._upload is not None:
                self._upload = None
                self.fail(GatewayError(CLIENT_CLOSED, cause="the request's body was given up"))
        else:
            self._upload = None
            if self.closed is None:
                self._deadline.all_sent(answered=self._reply.status > 0)

    def _stop_upload(self) -> None:
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
            self._upload_cut = True

    def _broke(self, text: str) -> None:
        if self.closed is not None:
            return
        self.died_unanswered = not self._reply.received
        self.fail(
            GatewayError(
                UPSTREAM_INCOMPLETE if self._reply.received else UPSTREAM_RESET, cause=f"{self._target}: {text}"
            )
        )

    def _discard(self, why: GatewayError) -> None:
        if self.closed is not None:
            return
        self.closed = why
        self._waiter = self._stream = None
        self._transport.abort()
        self._deadline.end()
        self._reply.end_of_use()
        self._stop_upload()
        self.resume_writing()
        self._owner.discarded(self)
