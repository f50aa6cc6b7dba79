"""Writes lines in the thread that makes them, without waiting: for a process that forks, and so has no threads."""

import fcntl
import os
import select
import stat
from collections import deque

CAPACITY_BYTES = 1 << 20


class DirectWriter:
    """A `Writer` for few lines.

    What cannot be written at once is kept until `flush`, which the supervisor calls regularly.
    """

    def __init__(self, fd: int, *, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._fd = fd
        self._capacity = capacity_bytes
        self._pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self.dropped = 0

    def __repr__(self) -> str:
        return f"<DirectWriter fd {self._fd}, {self._waiting_bytes} bytes waiting, {self.dropped} lines dropped>"

    def start(self) -> None:
        """Do nothing, because there is no thread."""

    def put(self, line: bytes) -> None:
        """Send `line`, which ends in a newline. Never waits."""
        if self._waiting_bytes + len(line) > self._capacity:
            self.dropped += 1
            return
        self._waiting_bytes += len(line)
        self._lines.append(line)
        self.flush()

    put_from_anywhere = put

    def flush(self) -> bool:
        """Write what can be written now; whether that was all."""
        while self._lines and self._write(self._lines[0]):
            self._waiting_bytes -= len(self._lines.popleft())
        return not self._lines

    def close(self, timeout_s: float) -> bool:
        """Write what is left, for at most `timeout_s`; False if that was not enough. Later lines are dropped."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        steps = 20
        while not self.flush() and steps:
            poll.poll(timeout_s / 20 * 1000)
            steps -= 1
        self._capacity = -1
        return not self._lines

    def _write(self, line: bytes) -> bool:
        """Return whether it is done with: written, or lost for good."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        if not poll.poll(0):
            return False
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except BlockingIOError:
            return False
        except OSError:
            locked = False
        try:
            # A pipe that is ready takes PIPE_BUF bytes at once; a longer line is worth the wait for whoever reads it.
            while line:
                line = line[os.write(self._fd, line[: select.PIPE_BUF] if self._pipe else line) :]
        except OSError:
            self.dropped += 1
        finally:
            if locked:
                fcntl.lockf(self._fd, fcntl.LOCK_UN)
        return True
