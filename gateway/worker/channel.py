"""The messages between a supervisor and a worker, over a pair of sockets that preserves message boundaries.

    from the worker
        Ready                               the worker can serve
        Failed                              the worker cannot serve
        StateHandedOver (a memory file)     the state of its limiter and its keys, which it does not change from then on
        QueryResult (a memory file)         the response to a Query
    from the supervisor
        Serve (a memory file or none)       accept connections, starting with that state
        AdoptState (a memory file)          add the state of another worker to your own
        DisableKeepAlive                    accept connections still, and close each one after its next reply
        ShareSockets (sockets)              accept connections also from these sockets, of a worker that has ended
        ReclaimSockets                      stop accepting from the sockets of that worker
        Retire                              stop accepting, finish the requests in flight, exit
        Cut                                 exit at once
        Query                               answer a question while serving

A worker that reads the end of the supervisor's messages retires by itself.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Ready(msgspec.Struct, tag="ready"):
    """`limiter` is a description for the log."""

    limiter: str


class Failed(msgspec.Struct, tag="failed"):
    """`errno` is 0 if the cause was not a system call."""

    text: str
    errno: int


class StateHandedOver(msgspec.Struct, tag="state handed over"):
    """The file holds a `HandoverState`."""


class Serve(msgspec.Struct, tag="serve"):
    """The file, if there is one, holds a `HandoverState`."""


class AdoptState(msgspec.Struct, tag="adopt state"):
    """The file holds a `HandoverState`."""


class DisableKeepAlive(msgspec.Struct, tag="disable keep-alive"):
    """Each connection is closed after its next reply."""


class Retire(msgspec.Struct, tag="retire"):
    """`successor`: another worker takes over, and a `StateHandedOver` is expected.

    `last` are the numbers of the listeners from which no other process accepts afterwards.
    """

    timeout_s: float
    successor: bool
    last: list[int] = []


class ShareSockets(msgspec.Struct, tag="share sockets"):
    """The sockets belong to the worker in `slot` and to the listener with the number `listener`."""

    slot: int
    listener: int


class ReclaimSockets(msgspec.Struct, tag="reclaim sockets"):
    """Ends the sharing of all sockets of `slot`, which has a new worker or belongs to another one."""

    slot: int


class Cut(msgspec.Struct, tag="cut"):
    """The worker gives up what is in flight, and ends."""


class Query(msgspec.Struct, tag="query"):
    """`number` is repeated in the response. `parameters` are those of `question`."""

    number: int
    question: str
    parameters: dict[str, str]


class QueryResult(msgspec.Struct, tag="query result"):
    """The file holds JSON; `status` is an HTTP status code."""

    number: int
    status: int


class HandoverState(msgspec.Struct, frozen=True):
    """What a worker hands over to its successor.

    `limits` is what its limiter counted in memory, `keys` what it has cached of the keys in Redis. `outage` is its
    record of an outage of Redis. `share_only`: another worker owes Redis what this record says is owed. `usage` is the
    usage that Redis does not have yet.
    """

    limits: bytes = b""
    keys: bytes = b""
    outage: bytes = b""
    share_only: bool = False
    usage: bytes = b""


Message: TypeAlias = (
    Ready
    | Failed
    | StateHandedOver
    | Serve
    | AdoptState
    | DisableKeepAlive
    | Retire
    | ShareSockets
    | ReclaimSockets
    | Cut
    | Query
    | QueryResult
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode
_MAX_MESSAGE_BYTES = 64 << 10
_MAX_FILES = 4


class Channel:
    """One end of the pair.

    `on_message(message, fds)` is called on the event loop and owns the descriptors; `on_end` is called once, when the
    other end has closed.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self.sock = sock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_message: Callable[[Message, list[int]], None] = _ignore
        self._on_end: Callable[[], None] = _nothing

    @staticmethod
    def pair() -> tuple[socket.socket, socket.socket]:
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def start(self, on_message: Callable[[Message, list[int]], None], on_end: Callable[[], None]) -> None:
        """Begin to read."""
        self._on_message, self._on_end = on_message, on_end
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.sock.fileno(), self._read)

    def send(self, message: Message, *fds: int) -> None:
        """Send a message without blocking.

        One that cannot be sent is lost: the receiver has ended, which `on_end` reports.
        """
        with contextlib.suppress(OSError):
            socket.send_fds(self.sock, [_encode(message)], fds, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def send_file(self, message: Message, content: bytes) -> None:
        """Send a message with a memory file that holds `content`; see `send`."""
        fd = memory_file(content)
        try:
            self.send(message, fd)
        finally:
            os.close(fd)

    def drain(self) -> None:
        """Read everything that has arrived."""
        while self._loop is not None and self._read():
            pass

    def close(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self.sock.fileno())
            self._loop = None
        self.sock.close()

    def _read(self) -> bool:
        """Return whether there was a message."""
        try:
            data, fds, _, _ = socket.recv_fds(
                self.sock, _MAX_MESSAGE_BYTES, _MAX_FILES, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
            )
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data, fds = b"", []
        if data:
            self._on_message(_decode(data), fds)
            return True
        if self._loop is not None:
            self._loop.remove_reader(self.sock.fileno())
            self._loop = None
            self._on_end()
        return False


def memory_file(content: bytes) -> int:
    """Return the descriptor of a new file in memory, which the caller closes."""
    fd = os.memfd_create("message", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    return fd


def content_of(fd: int) -> bytes:
    """Read a memory file, and close its descriptor."""
    try:
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def _ignore(_: Message, fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _nothing() -> None:
    pass
