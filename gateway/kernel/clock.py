"""The clock as a parameter.

The kernel does not read the time itself; code that needs the time gets a `Clock`.
"""

from collections.abc import Callable

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """Two readings, both in seconds. Callables rather than methods: a call costs no Python frame."""

    monotonic: Callable[[], float]
    """Seconds of a clock that never goes back, for durations and deadlines of this process only."""
    wall: Callable[[], float]
    """Unix time in seconds, for anything that leaves this process."""
