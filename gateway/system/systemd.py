"""Notifications to systemd, by the protocol of sd_notify(3)."""

import contextlib
import os
import socket
from collections.abc import Mapping

MICROSECONDS = 1_000_000


class Notifier:
    """Sends to the socket in $NOTIFY_SOCKET; does nothing if there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL byte that begins the name of an abstract socket.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        interval = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_s = int(interval) / MICROSECONDS / 2 if interval.isdecimal() and ours else None
        self._due = 0.0

    def notify(self, *lines: str) -> None:
        """Send a message to systemd. Never blocks, and ignores errors."""
        if not self._address:
            return
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
            contextlib.suppress(OSError),
        ):
            sock.sendto("\n".join(lines).encode(), self._address)

    def alive(self, now: float) -> None:
        """Notify the watchdog twice in each of its intervals. It is called often.

        `now` is in seconds of the monotonic clock.
        """
        if self._watchdog_s is not None and now >= self._due:
            self._due = now + self._watchdog_s
            self.notify("WATCHDOG=1")

    def reloading(self, now: float) -> None:
        """`now` is in seconds of the monotonic clock."""
        self.notify("RELOADING=1", f"MONOTONIC_USEC={int(now * MICROSECONDS)}")
