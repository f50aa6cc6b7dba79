"""Serves the plain requests of a client connection: the part of it that almost all of them pass through.

It is apart from `ClientConnection`, because aiohttp's class cannot be compiled. Everything unusual is left to that.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

import msgspec

from gateway.edge.plain_request import PlainRequestReader
from gateway.edge.request_head import Peer, RequestHeadChecker
from gateway.edge.response_head import whole_reply
from gateway.exchange import Exchange, Reply, Send, SentBytes, ServeExchange
from gateway.net.coroutine_driver import CoroutineDriver, OnEnd
from gateway.net.write_batch import WriteBatch


class ListenerState(msgspec.Struct, eq=False):
    """What the connections of a listener have in common.

    `serve` answers an exchange. `date` is the Date line of replies. When it is `draining`, connections end with their
    next reply.
    """

    head_checker: RequestHeadChecker
    serve: ServeExchange
    write_batch: WriteBatch
    date: str = ""
    draining: bool = False


class UnusualWays(Protocol):
    """What a connection does with what is not plain."""

    def receive(self, data: bytes) -> None:
        """Take what is not a plain request."""
        ...

    def send_in_time(self, reply: Reply) -> Awaitable[int]:
        """Write a reply that cannot be sent at once, and return the bytes of its body that were sent."""
        ...

    def taken(self, x: Exchange, size: int) -> Awaitable[int]:
        """Wait until the client has received most of a body of `size` bytes, and return how much it has."""
        ...

    def exchange_ended(self, error: BaseException | None) -> None:
        """Note that an exchange has ended, and go on with what has arrived meanwhile."""
        ...


class ConnectionCore:
    """Serves plain requests that come one at a time, and holds what is known of the exchange under way.

    `alone`: nothing but plain requests has begun since the connection was idle, which it is since `idle_since`.
    `exchange` is None between exchanges. `keep` says whether the connection stays open after it. `written` counts
    writes. `behind` says that the client does not take what is written. `transport` and `unusual`, the connection, are
    None unless it is open.
    """

    __slots__ = (
        "_ended", "_monotonic", "_requests", "_send", "_state", "alone", "behind", "driver", "exchange", "idle_since",
        "keep", "peer", "transport", "unusual", "written",
    )  # fmt: skip

    def __init__(self, state: ListenerState, loop: asyncio.AbstractEventLoop) -> None:
        self._state = state
        self._requests: PlainRequestReader = state.head_checker.plain_requests
        self.alone = self.behind = False
        self.driver = CoroutineDriver(loop)
        self.exchange: Exchange | None = None
        self._monotonic = state.head_checker.monotonic
        self.idle_since: float = self._monotonic()
        self.keep = True
        self.peer = Peer("", "", trusted=False)
        self.transport: asyncio.Transport | None = None
        self.unusual: UnusualWays | None = None
        self.written = 0
        self._send: Send | None = None
        self._ended: OnEnd | None = None

    def open(self, transport: asyncio.Transport, unusual: UnusualWays) -> None:
        """Begin to serve."""
        self.transport, self.unusual = transport, unusual
        self._send, self._ended = self.send, self.ended  # made once, and not for each request

    def close(self) -> None:
        """Serve no more, and refer to nothing in a circle."""
        self.transport = self.unusual = self._send = self._ended = None

    def data_received(self, data: bytes) -> None:
        """Serve `data` if it is a plain request and nothing else has begun."""
        unusual, send, ended = self.unusual, self._send, self._ended
        if unusual is None or send is None or ended is None:
            return
        if self.alone and self.exchange is None:
            request = self._requests.read(data)
            if request is not None:
                state = self._state
                x = state.head_checker.exchange(request.line, request.headers, self.peer, request.body)
                self.exchange, self.keep = x, request.keep
                if self.driver.run(state.serve(x, send), ended):
                    self.ended(None)
                return
        unusual.receive(data)

    def send(self, reply: Reply) -> Awaitable[int]:
        """Write `reply`, and return the bytes of its body that were sent, at once if it can.

        Raises ConnectionError and what its stream raises.
        """
        x, transport, unusual = self.exchange, self.transport, self.unusual
        if x is None or transport is None or unusual is None:
            raise ConnectionResetError("the client is gone")
        if self.behind or transport.is_closing():
            return unusual.send_in_time(reply)
        state = self._state
        keep = self.keep and not (reply.close or state.draining)
        data = whole_reply(reply, x.method, state.date, keep=keep)
        if data is None:
            return unusual.send_in_time(reply)
        self.keep = keep
        self.written += 1
        if keep:
            state.write_batch.put(transport, data)
        else:
            state.write_batch.flush()
            transport.write(data)
            if self.behind:
                return unusual.taken(x, len(reply.body))
        return SentBytes(len(reply.body))

    def ended(self, error: BaseException | None) -> None:
        """Note that the exchange of a plain request has ended."""
        if self.alone and self.keep and error is None:  # nothing else has begun meanwhile
            self.exchange = None
            self.idle_since = self._monotonic()
            return
        self.alone = False
        if self.unusual is not None:
            self.unusual.exchange_ended(error)
        else:
            self.exchange = None
