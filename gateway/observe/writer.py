"""Lines on their way out of the process.

A pipe without a reader blocks its writers. So the event loop only puts lines into a bounded buffer; a thread writes
them. What does not fit is dropped and counted: a gateway that waits for its log has stopped being a gateway.

Several processes share one output. Each takes it in turn, by a lock on the pipe or file itself, and gives a pipe whole
lines in pieces that it takes at once (PIPE_BUF): so no line stands within another, and one who is killed leaves no
half.
"""

import contextlib
import fcntl
import os
import select
import stat
import threading
from collections import deque
from collections.abc import Iterator
from typing import Protocol

CAPACITY_BYTES = 4 << 20
INTERVAL_S = 0.05
"""The seconds for which the thread lets lines gather under traffic, so that many are written at once."""

_WRITE_BYTES = 512 << 10
"""The most bytes that a file is given at once.

Each system call gives the interpreter away, and to get it back costs more than the call: few large writes are cheap.
"""
_TURN_PIECES = 16
"""The most pieces that a pipe is given before it is another process's turn."""


class Output(Protocol):
    """A Writer or a DirectWriter."""

    @property
    def dropped(self) -> int: ...

    def start(self) -> object: ...

    def put(self, line: bytes) -> None: ...

    def put_from_anywhere(self, line: bytes) -> None: ...

    def close(self, timeout_s: float) -> bool: ...


class Writer:
    """Writes whole lines to a file descriptor, in order, from its own thread.

    Every counter has one thread that changes it, or a lock, so that they stay exact without costing the loop anything.
    Make it before or after a fork, but `start` it after.
    """

    def __init__(self, fd: int, *, capacity_bytes: int = CAPACITY_BYTES, interval_s: float = INTERVAL_S) -> None:
        self._fd = fd
        is_pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
        self._piece_bytes, self._turn = (select.PIPE_BUF, _TURN_PIECES) if is_pipe else (_WRITE_BYTES, 1)
        self._capacity = capacity_bytes
        self._interval_s = interval_s
        self._lines: deque[bytes] = deque()
        self._put_bytes = 0
        self._refused = 0
        self._elsewhere = threading.RLock()
        self._put_bytes_elsewhere = 0
        self._refused_elsewhere = 0
        self._written_bytes = 0
        self._lost = 0
        self._asleep = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._own_thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<Writer fd {self._fd}, {self.waiting_bytes} bytes waiting, {self.dropped} lines dropped>"

    @property
    def dropped(self) -> int:
        """The number of lines that were dropped."""
        return self._refused + self._refused_elsewhere + self._lost

    @property
    def waiting_bytes(self) -> int:
        return self._put_bytes + self._put_bytes_elsewhere - self._written_bytes

    def start(self) -> threading.Thread:
        if self._own_thread is None:
            self._own_thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
            self._own_thread.start()
        return self._own_thread

    def put(self, line: bytes) -> None:
        """Send `line`, which ends in a newline. Never waits. For one thread only: the event loop's."""
        size = len(line)
        if self._put_bytes + self._put_bytes_elsewhere - self._written_bytes + size > self._capacity:
            self._refused += 1
            return
        self._put_bytes += size
        self._lines.append(line)
        if self._asleep:
            self._wake.set()

    def put_from_anywhere(self, line: bytes) -> None:
        """Put a line from any thread. It is reentrant, as a warning may be raised anywhere."""
        with self._elsewhere:
            if self.waiting_bytes + len(line) > self._capacity:
                self._refused_elsewhere += 1
                return
            self._put_bytes_elsewhere += len(line)
            self._lines.append(line)
        if self._asleep:
            self._wake.set()

    def close(self, timeout_s: float) -> bool:
        """Write what is left, for at most `timeout_s`; False if that was not enough. Later lines are dropped."""
        self._closing.set()
        self._wake.set()
        self.start().join(timeout_s)
        self._capacity = -1
        return not self.waiting_bytes

    def _run(self) -> None:
        while True:
            if self._lines:
                self._drain()
                self._closing.wait(self._interval_s)
            elif self._closing.is_set():
                return
            else:
                # In this order: a line put before the flag is seen here, one put after it sets the event.
                self._asleep = True
                self._wake.wait(0 if self._lines else None)
                self._asleep = False
                if not self._closing.is_set():
                    self._wake.clear()

    def _drain(self) -> None:
        while self._lines:
            with _exclusive_lock(self._fd):
                for _ in range(self._turn):
                    if self._lines:
                        self._write_piece()

    def _write_piece(self) -> None:
        """Write the first lines at once, as many as may be."""
        lines = self._lines
        batch: list[bytes] = []
        size = 0
        while lines and (not batch or size + len(lines[0]) <= self._piece_bytes):
            batch.append(lines.popleft())
            size += len(batch[-1])
        rest = self._write(memoryview(b"".join(batch)))
        self._lost += bytes(rest).count(b"\n")
        self._written_bytes += size

    def _write(self, data: memoryview) -> memoryview:
        """Return what could not be written. That is nothing, unless the other end is closed or the disk is full."""
        while data:
            try:
                written = os.write(self._fd, data)
                data = data[written:]
            except BlockingIOError:
                # Somebody we share the terminal or pipe with made it non-blocking.
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll()
            except OSError:
                break
        return data


@contextlib.contextmanager
def _exclusive_lock(fd: int) -> Iterator[None]:
    """Lock the output against other processes. A process that ends loses the lock."""
    with contextlib.suppress(OSError):  # it cannot be locked, or is closed, which writing will tell
        fcntl.lockf(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.lockf(fd, fcntl.LOCK_UN)
