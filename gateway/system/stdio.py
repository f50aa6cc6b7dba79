"""Standard input, output and error."""

import os
import sys

NOWHERE = "/dev/null"


def occupy() -> None:
    """Open /dev/null for those of the three that are closed.

    Otherwise the next file or socket that is opened gets the number, and log lines are written to it.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(NOWHERE, os.O_RDWR)  # the lowest number that is free, which is this one
            os.set_inheritable(fd, True)
    # Python has found them closed, and has none of its own.
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
