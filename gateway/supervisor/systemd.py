"""What systemd is told: sd_notify(3), in the few lines that it takes."""

import contextlib
import os
import socket
from collections.abc import Mapping

MICROSECONDS = 1_000_000


class Notifier:
    """Speaks to $NOTIFY_SOCKET; without one it says nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL byte that begins the name of an abstract socket.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        interval = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_s = int(interval) / MICROSECONDS / 2 if interval.isdecimal() and ours else None
        self._due = 0.0

    def tell(self, *lines: str) -> None:
        """Never waits, never fails."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock, contextlib.suppress(OSError):
            sock.sendto("\n".join(lines).encode(), self._address)

    def alive(self, now: float) -> None:
        """Called often; says so as often as systemd wants to hear it. `now` is the monotonic clock's reading in seconds."""
        if self._watchdog_s is not None and now >= self._due:
            self._due = now + self._watchdog_s
            self.tell("WATCHDOG=1")

    def reloading(self, now: float) -> None:
        """`now` is the monotonic clock's reading in seconds."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={int(now * MICROSECONDS)}")
