"""Ensures that standard input, output and error are open."""

import os
import sys

DEV_NULL = "/dev/null"


def open_missing_streams() -> None:
    """Open /dev/null for those of the three that are closed.

    Otherwise the next file or socket would get the free number, and log lines would be written to it.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(DEV_NULL, os.O_RDWR)  # gets the lowest free number, which is this one
            os.set_inheritable(fd, True)
    # Python has set those that were closed to None.
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
