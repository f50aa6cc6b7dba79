"""What a supervisor and a worker say to one another, over a pair of sockets that keeps messages apart.

    worker      Ready                       serves as soon as it may
                Failed                      cannot serve at all
                Legacy (a memory file)      what its limiter and keyring knew, once it decides no longer
                Told (a memory file)        the answer to an Ask
    supervisor  Go (a memory file or none)  accept connections, and begin with that knowledge
                Bequest (a memory file)     know that as well: what another worker left
                Part                        accept them still, and end each with its next reply
                Lend (sockets)              accept from these too: they are those of a worker that is lost
                TakeBack                    accept from those no longer
                Retire                      accept no more, finish what there is, end
                Cut                         end at once
                Ask                         tell something, while serving

Whoever reads the end of the other's messages is alone: a worker then retires by itself.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Ready(msgspec.Struct, tag="ready"):
    """`limiter` is for people."""

    limiter: str


class Failed(msgspec.Struct, tag="failed"):
    """`errno` is 0 when no system call was at fault."""

    text: str
    errno: int


class Legacy(msgspec.Struct, tag="legacy"):
    pass


class Go(msgspec.Struct, tag="go"):
    pass


class Bequest(msgspec.Struct, tag="bequest"):
    pass


class Part(msgspec.Struct, tag="part"):
    pass


class Retire(msgspec.Struct, tag="retire"):
    """`successor`: somebody takes over, and waits for a Legacy. `last` are the numbers of listeners on which nobody accepts any more."""

    timeout_s: float
    successor: bool
    last: list[int] = []


class Lend(msgspec.Struct, tag="lend"):
    """The sockets are of the worker in `slot` and of the listener with that number."""

    slot: int
    listener: int


class TakeBack(msgspec.Struct, tag="take back"):
    """All that was lent of `slot`: another worker has taken that place."""

    slot: int


class Cut(msgspec.Struct, tag="cut"):
    pass


class Ask(msgspec.Struct, tag="ask"):
    """`number` comes back with the answer. `about` is what `question` is about."""

    number: int
    question: str
    about: dict[str, str]


class Told(msgspec.Struct, tag="told"):
    """The file holds JSON; `status` says what it is worth, as in HTTP."""

    number: int
    status: int


class HandoverState(msgspec.Struct, frozen=True):
    """What a worker leaves to its heir: what its limiter counted in memory, and the keys that it knew of those in Redis.

    `outage` is what it knows and owes of Redis; `share_only`: what it owes is owed by somebody else.
    """

    limits: bytes = b""
    keys: bytes = b""
    outage: bytes = b""
    share_only: bool = False


Message: TypeAlias = Ready | Failed | Legacy | Go | Bequest | Part | Retire | Lend | TakeBack | Cut | Ask | Told

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode
_LONGEST = 64 << 10
_MOST_FILES = 4


class Channel:
    """One end. `on_message(message, fds)` is called on the loop and owns the descriptors; `on_end` once, at the end."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
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
        """Never waits. What the other end does not live to read is lost: its end tells."""
        with contextlib.suppress(OSError):
            socket.send_fds(self.sock, [_encode(message)], fds, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def send_file(self, message: Message, content: bytes) -> None:
        """As `send`, with a memory file."""
        fd = memory_file(content)
        try:
            self.send(message, fd)
        finally:
            os.close(fd)

    def drain(self) -> None:
        """Read what has arrived, to its end."""
        while self._loop is not None and self._read():
            pass

    def close(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self.sock.fileno())
            self._loop = None
        self.sock.close()

    def _read(self) -> bool:
        """Whether there was a message."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, _LONGEST, _MOST_FILES, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
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
    """A descriptor of a file in memory, which whoever gets it closes."""
    fd = os.memfd_create("told", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    return fd


def content_of(fd: int) -> bytes:
    """Of a memory file, which this closes."""
    try:
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def _ignore(_: Message, fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _nothing() -> None:
    pass
