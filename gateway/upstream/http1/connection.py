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
from collections.abc import Awaitable
from functools import partial
from math import inf

from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    UPSTREAM_INCOMPLETE,
    UPSTREAM_PROTOCOL_ERROR,
    UPSTREAM_RESET,
    UPSTREAM_STREAMS_FULL,
    UPSTREAM_TIMEOUT,
    GatewayError,
)
from gateway.net.loop_budget import LoopBudget
from gateway.net.write_batch import WriteBatch
from gateway.upstream.call import Answer, Call
from gateway.upstream.connection_shares import ConnectionOwner
from gateway.upstream.http1.body_buffer import BodyBuffer
from gateway.upstream.http1.body_receiver import receive_in_one_block
from gateway.upstream.http1.connection_socket import UpstreamConnectionState
from gateway.upstream.http1.deadlines import Deadlines
from gateway.upstream.http1.framing import (
    NEVER_AMBIGUOUS,
    STREAMED,
    TELLING_BYTES,
    Origin,
    ambiguous_from,
    kind_of,
    request_head,
)
from gateway.upstream.http1.known_heads import NO_HEAD, known_head, remember
from gateway.upstream.http1.pending_answer import PendingAnswer
from gateway.upstream.http1.request_body import PIECE_BYTES
from gateway.upstream.http1.response_parser import ResponseParser
from gateway.upstream.http1.response_stream import ResponseStream
from gateway.upstream.http1.upgrade import UpgradeReader
from gateway.upstream.http1.uploading_socket import UploadingSocket
from gateway.upstream.tls import ended_cleanly


class UpstreamConnection(UploadingSocket):
    """`target` names the other end, `origin` is what it adds to heads. Deadlines are readings of `clock.monotonic`.

    `died_unanswered`: it ended, or broke, before the first byte of the reply.
    """

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
        self._pending: PendingAnswer | None = None
        self._known_head = NO_HEAD  # the last one: the heads of one service are mostly alike, or as long
        self._buffer = BodyBuffer()
        self._stream: ResponseStream | None = None
        self._events = False
        self.died_unanswered = False

    def __repr__(self) -> str:
        return f"<UpstreamConnection to {self._target}, {self.state.value}>"

    @property
    def state(self) -> UpstreamConnectionState:
        if self.closed is not None:
            return UpstreamConnectionState.CLOSED
        if self.peer is None:
            return UpstreamConnectionState.CONNECTING
        if self._pending is None:
            return UpstreamConnectionState.IDLE
        if self.tunnelled:
            return UpstreamConnectionState.TUNNEL
        if self._stream is not None:
            return UpstreamConnectionState.STREAMING
        return UpstreamConnectionState.RECEIVING if self._upload is None else UpstreamConnectionState.SENDING

    # For the pool

    def begin(self, call: Call, first: bytes, now: float) -> PendingAnswer:
        """Send `call`. `first` is the piece that was already read of its Body.

        Raises GatewayError when the connection has ended already.
        """
        if self.closed is not None:
            raise self.closed
        if call.method == b"HEAD":
            self._reply.begin(head_only=True)
        call.handed = True
        self._pending = pending = PendingAnswer(call, self, now)
        body, request = call.body, b""
        if not body:
            self._ambiguous_from = NEVER_AMBIGUOUS
            request = request_head(call, self._origin, 0)
        else:
            self._ambiguous_from = ambiguous_from(call.method)
            if isinstance(body, bytes) and len(body) <= PIECE_BYTES:
                request = request_head(call, self._origin, len(body)) + body
        if request:
            self._write_batch.put(self._transport, request)
            deadline = self._deadline
            if call.first_byte_timeout_s >= deadline.ahead_s <= call.total_timeout_s:
                deadline.request = pending  # nearly every call: the timer of an earlier one is set again when it fires
            else:
                deadline.sent(pending)
        else:
            self._start_upload(call, self._origin, first)
        if call.upgrade_mask:
            may_stream = partial(self._owner.may_stream, self)
            UpgradeReader(self, self._transport, pending, call, self._target, may_stream)
        return pending

    def given_up(self, pending: PendingAnswer) -> None:
        if self._pending is pending:
            self.abandon()

    def send_again(self, pending: PendingAnswer) -> Awaitable[Answer] | None:
        return self._owner.send_again(self, pending.call, pending.sent_at)

    def abandon(self) -> None:
        self._discard(GatewayError(UPSTREAM_INCOMPLETE, cause="given up"))

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._reply = ResponseParser()  # not earlier: a connection that is refused is never discarded
        self._deadline = Deadlines(self._expired, self._clock, self._loop)

    def data_received(self, data: bytes) -> None:
        pending, reply = self._pending, self._reply
        if pending is None:
            self._discard(GatewayError(UPSTREAM_PROTOCOL_ERROR, cause=f"{self._target}: the upstream spoke unasked"))
            return
        first = reply.may_be_known
        if first:
            last = self._known_head
            as_last = last.size_bytes == len(data) and data.startswith(last.text)
            head = last if as_last else known_head(data, len(last.text))
            if head is not None:
                self._known_head = head
                # by position, like the call: faster than by name
                answer = Answer(head.status, head.fields, data[head.end :], None, head.length, self._target, 0, True)  # noqa: FBT003
                self._end_call(head.status, head.idle_hint_s)
                pending.set_result_in_callback(answer)
                return
        try:
            reply.feed(data)
        except GatewayError as error:
            error.cause = f"{self._target}: {error.cause}"
            self.fail(error)
            return
        if reply.complete:
            if first:
                remember(data, reply)
            self._completed(pending)
        elif reply.status:
            self._progress(pending)

    def eof_received(self) -> None:
        if self._pending is None:
            self._discard(GatewayError(UPSTREAM_RESET, cause=f"{self._target}: the upstream closed the connection"))
            return
        peer = self._transport.get_extra_info("ssl_object")
        if (peer is None or ended_cleanly(peer)) and self._reply.end():
            self._completed(self._pending)
        else:
            self._broke("the upstream closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._broke(f"the connection broke: {getattr(exc, 'strerror', None) or exc or 'cut off'}")
        super().connection_lost(exc)

    def _expired(self) -> None:
        assert self._pending is not None  # there is no deadline without a call
        text = self._deadline.reason(self._pending.call, uploading=self._upload is not None)
        self.fail(GatewayError(UPSTREAM_TIMEOUT, cause=f"{self._target}: {text}"))

    # The reply

    def _progress(self, pending: PendingAnswer) -> None:
        """Go on with a reply whose final head is complete, and whose body is not."""
        data = self._reply.take()
        if self._stream is not None:
            if data:
                self._deadline.heard()
                self._stream.feed(data)
            return
        buffer = self._buffer
        if not buffer.size:
            self._head_arrived()
        buffer.add(data)
        call, kind = pending.call, kind_of(self._reply.fields, buffer.begun(TELLING_BYTES))
        if buffer.size <= call.buffer_bytes and call.buffer_bytes and kind not in STREAMED:
            self._receive_within(self._loop_budget, buffer.size, len(data))
            if TELLING_BYTES <= buffer.size <= call.buffer_bytes - self._reply.missing:  # it will not stream
                receive_in_one_block(self, self._transport, buffer, self._reply.missing)
            return
        remaining = None if self._reply.length is None else self._reply.length - buffer.size
        if not self._owner.may_stream(self):
            if buffer.size + (remaining or 0) > call.read_ahead_bytes or kind == "events":
                why = f"{self._target}: replies that stream have their share of connections"
                self.fail(GatewayError(UPSTREAM_STREAMS_FULL, cause=why))
            return
        self._stream = ResponseStream(self, self._clock, self._loop, remaining, call.read_ahead_bytes)
        self._events = kind == "events"
        self._deadline.streams(call.events_idle_timeout_s if self._events else call.idle_timeout_s)
        pending.set_result(self._answer(buffer.take(), self._stream))

    def body_received(self, size: int) -> None:
        self._reply.count(size)
        self._receive_within(self._loop_budget, self._buffer.size, size)

    def _completed(self, pending: PendingAnswer) -> None:
        """Finish a reply that has ended, as the parser has found."""
        reply, stream = self._reply, self._stream
        data = reply.take()
        if reply.ambiguous or self._events or not (reply.keep and reply.clean):
            self._ambiguous_from = 0
        if self._buffer.size:
            self._buffer.add(data)
            data = self._buffer.take()
        if stream is not None and stream.paused:
            self._transport.resume_reading()
        self._stream = None
        answer, idle_hint_s = self._answer(data, None), reply.idle_hint_s
        reply.begin(head_only=False)  # as most calls expect it
        self._end_call(answer.status, idle_hint_s)
        if stream is None:
            pending.set_result_in_callback(answer)
        else:
            stream.end(data)

    def _end_call(self, status: int, idle_hint_s: float | None) -> None:
        """Free the connection for another call, or close it where it is not certain that both sides are done."""
        if self._upload is not None or status >= self._ambiguous_from or self._transport.get_write_buffer_size():
            self._discard(GatewayError(UPSTREAM_RESET, cause="not kept alive"))
        else:
            self._pending = self._deadline.request = None
            self._deadline.at = inf
            self._owner.release(self, idle_hint_s)

    def _answer(self, body: bytes, stream: ResponseStream | None) -> Answer:
        reply = self._reply
        return Answer(reply.status, reply.fields, body, stream, reply.length, self._target)

    # Endings

    def fail(self, error: Exception) -> None:
        pending, stream = self._pending, self._stream
        self._discard(error if isinstance(error, GatewayError) else GatewayError(UPSTREAM_INCOMPLETE, cause="given up"))
        if stream is not None:
            stream.fail(error)
        elif pending is not None and not pending.done:
            pending.set_exception(error)

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
        self._pending = self._stream = None
        self._transport.abort()
        self._deadline.end()
        self._reply.end_of_use()
        self._stop_upload()
        self.resume_writing()
        self._owner.discarded(self)
