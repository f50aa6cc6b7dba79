"""Single keys from a terminal, without Enter."""

import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager


class Keyboard:
    """Keys of the terminal that is open as `fd`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def wait(self, timeout_s: float) -> str:
        """Return the key that is pressed within `timeout_s`, "" if none is; "q" when the terminal has gone."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, timeout_s))
        if not ready:
            return ""
        return os.read(self._fd, 1).decode("ascii", "replace").lower() or "q"


@contextmanager
def keyboard(fd: int) -> Iterator[Keyboard]:
    """Have keys come one by one until the end of the block. Raises OSError or termios.error for what is no terminal."""
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield Keyboard(fd)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
