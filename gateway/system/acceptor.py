"""Accepts connections for a process that must never run out of descriptors.

Laws:
 - No more than `most` connections at once. Whoever comes then takes the place of one that nothing happens on.
 - When the system has no descriptor left nobody is accepted for a moment, and the log says so once in a while.
"""

import asyncio
import os
import resource
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

BACKLOG = 128
BREATH_S = 0.25
"""Until the next try, when there was no descriptor or no place."""
SILENT_S = 60.0
"""How long the log does not repeat itself."""
_BATCH = 16
_KEPT = 64
"""Descriptors of the process that are for others."""


class Places(Protocol):
    """The connections that have been accepted."""

    def __len__(self) -> int: ...

    def clear_one(self) -> bool:
        """End one that nothing happens on; False when there is none."""
        ...


class Acceptor:
    """Connects what comes on `sock` to a protocol that `make` makes."""

    def __init__(self, sock: socket.socket, make: Callable[[], asyncio.Protocol], places: Places, most: int) -> None:
        self._sock = sock
        self._make = make
        self._places = places
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._arriving = 0
        """Connections that are none of the places yet."""
        self._resuming: asyncio.TimerHandle | None = None
        self._said_at = -SILENT_S
        self._waiting = select.poll()
        """Whether somebody waits to be accepted."""
        self._waiting.register(sock.fileno(), select.POLLIN)
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._resume()

    def __repr__(self) -> str:
        return f"<Acceptor {len(self._places)}/{self._most} connections{', waiting' if self._resuming else ''}>"

    def close(self) -> None:
        """Accept no more, and close the socket."""
        if self._resuming is not None:
            self._resuming.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _wait(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._resuming = self._loop.call_later(BREATH_S, self._resume)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            if len(self._places) + self._arriving >= self._most and self._waiting.poll(0) and not self._places.clear_one():
                self._wait()
                return
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._say(error)
                self._places.clear_one()
                self._wait()
                return
            sock.setblocking(False)
            self._arriving += 1
            task: asyncio.Task[object] = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _protocol(self) -> asyncio.Protocol:
        self._arriving -= 1
        return self._make()

    def _say(self, error: OSError) -> None:
        now = self._loop.time()
        if now - self._said_at >= SILENT_S:
            self._said_at = now
            structlog.get_logger().error("a connection cannot be accepted", reason=os.strerror(error.errno or 0))


def room(wanted: int) -> int:
    """How many of `wanted` connections there are descriptors for, beside what this process has open and will open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        opened = len([*Path("/proc/self/fd").iterdir()])
    except OSError:  # not one descriptor is left to look with
        opened = soft
    return max(4, min(wanted, soft - opened - _KEPT))
