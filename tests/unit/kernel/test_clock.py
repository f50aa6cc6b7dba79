"""kernel/clock.py: two readings of time."""

import pytest

from gateway.kernel.clock import Clock


def test_a_clock_gives_both_readings_and_cannot_be_changed() -> None:
    clock = Clock(lambda: 1.5, lambda: 1_700_000_000.0)
    assert (clock.monotonic(), clock.wall()) == (1.5, 1_700_000_000.0)
    with pytest.raises(AttributeError):
        clock.wall = float  # type: ignore[misc]
