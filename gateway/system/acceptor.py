"""Accepts connections for a process that must never run out of descriptors.

Laws:
 - There are at most `most` connections at once. A further one takes the place of one that is idle.
 - When the system has no descriptor left, no connection is accepted for a moment, and the log says so at intervals.
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
RETRY_S = 0.25
"""The pause when there is no descriptor, or when no connection can be closed."""
LOG_INTERVAL_S = 60.0
_BATCH = 16
_RESERVED = 64
"""Descriptors that are left for other uses of the process."""


class AcceptedConnections(Protocol):
    """The connections that have been accepted and have not ended."""

    def __len__(self) -> int: ...

    def close_idle(self) -> bool:
        """End an idle one; return False if there is none."""
        ...


class Acceptor:
    """Accepts from `sock`, and connects each connection to a protocol that `make` creates."""

    def __init__(
        self, sock: socket.socket, make: Callable[[], asyncio.Protocol], connections: AcceptedConnections, most: int
    ) -> None:
        self._sock = sock
        self._make = make
        self._connections = connections
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._arriving = 0
        """The number of connections that have been accepted and have no protocol yet."""
        self._resuming: asyncio.TimerHandle | None = None
        self._logged_at = -LOG_INTERVAL_S
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)
        sock.settimeout(0)
        sock.listen(BACKLOG)
        self._resume()

    def __repr__(self) -> str:
        return f"<Acceptor {len(self._connections)}/{self._most} connections{', waiting' if self._resuming else ''}>"

    def close(self) -> None:
        """Stop accepting, and close the socket."""
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
        self._resuming = self._loop.call_later(RETRY_S, self._resume)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            is_full = len(self._connections) + self._arriving >= self._most
            if is_full and self._poll.poll(0) and not self._connections.close_idle():
                self._wait()
                return
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._log(error)
                self._connections.close_idle()
                self._wait()
                return
            sock.settimeout(0)
            self._arriving += 1
            task: asyncio.Task[object] = self._loop.create_task(
                self._loop.connect_accepted_socket(self._protocol, sock)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _protocol(self) -> asyncio.Protocol:
        self._arriving -= 1
        return self._make()

    def _log(self, error: OSError) -> None:
        now = self._loop.time()
        if now - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = now
            structlog.get_logger().error("a connection cannot be accepted", reason=os.strerror(error.errno or 0))


def connection_limit(wanted: int) -> int:
    """Return `wanted`, or fewer if the process has not enough descriptors for so many connections; at least 4."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        opened = len([*Path("/proc/self/fd").iterdir()])
    except OSError:  # no descriptor is left to open the folder
        opened = soft
    return max(4, min(wanted, soft - opened - _RESERVED))
