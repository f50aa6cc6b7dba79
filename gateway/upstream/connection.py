"""One connection to an upstream: writes a call, reads its reply in time, and decides whether it may serve another.

Laws:
 - It serves another call only after a reply that was whole, kept alive and followed by nothing, and that leaves no doubt
   whether both sides agree where the request and the reply end: not after a body that the method does not define, nor after one
   that a reply of 300 or more may have left unread, nor after a reply without the body that it announces. Bytes that arrive
   while no call is under way close it. So does the end of a stream of events: services that write these by hand often ignore
   a second request.
 - Whoever gives up a call, for whatever reason, closes the connection: `_discard` is the one way out, and runs once.
   Nothing refers in a circle to what is discarded: it is freed at once, and the call with it.
"""

import asyncio
import math
import select
from typing import cast

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
from gateway.net.turns import LARGE_BYTES, Turns
from gateway.net.write_batch import Outbox
from gateway.upstream.call import Answer, Call
from gateway.upstream.connection_shares import Owner
from gateway.upstream.deadlines import Deadlines
from gateway.upstream.framing import STREAMED, Origin, doubtful_from, kind_of, request_head
from gateway.upstream.request_body import PIECE_BYTES, Pieces, Source, upload
from gateway.upstream.response_parser import ReplyReader
from gateway.upstream.response_stream import ReplyStream
from gateway.upstream.tls import ended_cleanly


class Connection(asyncio.Protocol):
    """`target` names the other end, `origin` is what it adds to heads. Deadlines are readings of `clock.monotonic`.

    `closed` says why it is of no more use. `died_unanswered`: it ended, or broke, before a byte of the reply.
    `lost` is done when its socket is closed. `peer` is its address. `expires_at`, `ends_at` (its greatest age), `caller` (who holds it,
    None for nobody) and `streams` (it passes on a body while that arrives) are set by the pool.
    """

    _transport: asyncio.Transport
    peer: str
    _call: Call

    def __init__(
        self, owner: Owner, target: str, origin: Origin, clock: Clock, loop: asyncio.AbstractEventLoop, outbox: Outbox, turns: Turns
    ) -> None:
        self._owner = owner
        self._target = target
        self._origin = origin
        self._clock = clock
        self._loop = loop
        self._outbox, self._turns = outbox, turns
        self._readable = select.poll()
        self._waiter: asyncio.Future[Answer] | None = None
        self._buffer = bytearray()
        self._stream: ReplyStream | None = None
        self._upload: asyncio.Task[None] | None = None
        self._cut_upload = False
        self._events, self._doubtful_from = False, 0
        self._drained: asyncio.Future[None] | None = None
        self.closed: GatewayError | None = None
        self.lost, self.died_unanswered = loop.create_future(), False
        self.expires_at = self.ends_at = math.inf
        self.caller: str | None = None
        self.streams = False

    # For the pool

    def usable(self, now: float) -> bool:
        """Whether a call may be written. Bytes, or an end, that wait unread in the kernel say no as well."""
        return self.closed is None and now < self.expires_at and not self._transport.is_closing() and not self._readable.poll(0)

    def begin(self, call: Call, first: bytes, now: float) -> asyncio.Future[Answer]:
        """Send `call`; the future gets its answer, or an exception. `first` is what was already read of its Body.

        Raises GatewayError when the connection has ended before.
        """
        if self.closed is not None:
            raise self.closed
        self._reply.begin(call.method == b"HEAD")
        self._buffer.clear()
        self._call = call
        call.handed = True
        self._waiter = waiter = self._loop.create_future()
        body = call.body
        self._doubtful_from = doubtful_from(call.method, body != b"")
        if isinstance(body, bytes) and len(body) <= PIECE_BYTES:
            self._outbox.put(self._transport, request_head(call, self._origin, len(body)) + body)
            self._deadline.sent(call, now)
        else:
            source: Source = Pieces(body) if isinstance(body, bytes) else body
            head = request_head(call, self._origin, source.length)
            self._deadline.sending(call)
            self._upload = self._loop.create_task(self._send(head, body[:PIECE_BYTES] if isinstance(body, bytes) else first, source))
        return waiter

    async def answer(self, call: Call, waiter: "asyncio.Future[Answer]") -> Answer:
        """What comes back for `call`. Whoever is cancelled here has given it up."""
        try:
            answer = await waiter
        except asyncio.CancelledError:
            if self._waiter is waiter:
                self._discard(GatewayError(UPSTREAM_INCOMPLETE, cause="given up"))
            if waiter.done() and not waiter.cancelled():
                waiter.exception()
            raise
        call.body = b""  # it will not be sent again, and a slow client must not hold it
        return answer

    def pause(self) -> None:
        self._transport.pause_reading()
        self._deadline.unread(True)

    def resume(self) -> None:
        if self.closed is None:
            self._transport.resume_reading()
            self._deadline.unread(False)

    def abandon(self) -> None:
        self._discard(GatewayError(UPSTREAM_INCOMPLETE, cause="given up"))

    async def write(self, data: bytes) -> None:
        if self._readable.poll(0):
            await asyncio.sleep(0)  # a reply, or the end, is there: let it be read before a write meets a closed socket and loses it
        self._transport.write(data)
        if self._drained is not None:
            self._deadline.held_back()
            await self._drained
            self._deadline.went_on()

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = (transport.get_extra_info("peername") or ("",))[0]
        self._reply = ReplyReader()  # not before: a connection that is refused is never discarded
        self._deadline = Deadlines(self._rang, self._clock, self._loop)
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLRDHUP)

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
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def _rang(self) -> None:
        text = self._deadline.told(uploading=self._upload is not None)
        self.fail(GatewayError(UPSTREAM_TIMEOUT, cause=f"{self._target}: {text}"))

    # The reply

    def _progress(self) -> None:
        """The final head is in, the body not all."""
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
            if len(self._buffer) > LARGE_BYTES and self._turns.spent(len(data)):
                self._transport.pause_reading()
                self._turns.later(self._read_on)
            return
        waiter = self._waiter
        assert waiter is not None
        if waiter.done():
            return
        left = None if self._reply.length is None else self._reply.length - len(self._buffer)
        if not self._owner.may_stream(self):
            if len(self._buffer) + (left or 0) > call.taken_bytes or kind == "events":
                self.fail(GatewayError(UPSTREAM_STREAMS_FULL, cause=f"{self._target}: replies that stream have their share of connections"))
            return
        self._stream = ReplyStream(self, self._clock, self._loop, left, call.taken_bytes)
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
            # RFC 9112 9.3: it will not take the rest. (Below 300 it may well answer while it reads.)
            self._stop_upload()
            self._deadline.all_sent(answered=True)

    def _finish(self) -> None:
        reply, waiter, stream = self._reply, self._waiter, self._stream
        assert waiter is not None
        data = reply.take()
        self._waiter = self._stream = None
        if stream is not None and stream.paused:
            self._transport.resume_reading()
        abandoned = stream is None and waiter.done()  # whoever waited has left in this turn: what came is for nobody else
        busy = abandoned or self._upload is not None or self._cut_upload or self._transport.get_write_buffer_size()
        in_doubt = self._events or reply.in_doubt or reply.status >= self._doubtful_from
        if reply.keep and reply.clean and not (busy or in_doubt):
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

    def _answer(self, body: bytes, stream: ReplyStream | None) -> Answer:
        reply = self._reply
        return Answer(reply.status, reply.fields, body, stream, reply.length, self._target)

    # Endings

    def fail(self, error: Exception) -> None:
        """End it now; a call under way fails with `error`."""
        waiter, stream = self._waiter, self._stream
        self._discard(error if isinstance(error, GatewayError) else GatewayError(UPSTREAM_INCOMPLETE, cause="given up"))
        if stream is not None:
            stream.fail(error)
        elif waiter is not None and not waiter.done():
            waiter.set_exception(error)

    async def _send(self, head: bytes, first: bytes, body: Source) -> None:
        try:
            await upload(head, first, body, self)
        except Exception as error:
            self._upload = None
            self.fail(error.kept() if isinstance(error, GatewayError) else error)
        except asyncio.CancelledError:
            # When it was not stopped here, the body itself was: there will be no more of it
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
            self._cut_upload = True

    def _broke(self, text: str) -> None:
        if self.closed is not None:
            return
        self.died_unanswered = not self._reply.received
        self.fail(GatewayError(UPSTREAM_INCOMPLETE if self._reply.received else UPSTREAM_RESET, cause=f"{self._target}: {text}"))

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
