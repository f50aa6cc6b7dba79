"""What a piece of work costs in CPU time of this thread, and how that grows with its input.

Not how long it takes: neighbours on the machine make that longer. Of several runs the cheapest counts, and what one run
proves is not run again.
"""

import gc
from collections.abc import Callable
from time import thread_time_ns
from typing import TypeAlias

Work: TypeAlias = Callable[[], object]
Prepare: TypeAlias = Callable[[int], Work]
"""Makes the work on so many bytes ready to be done once, at no cost."""

RUNS = 3
GROWTH = 6.0
"""What four times as much may cost at most: four, and room for caches and for what is done at every size."""
CHEAP_NS, CHEAP_RATE_NS = 200_000, 25.0
"""What costs no more than the first and the second for each byte is not looked at more closely."""
RATE_NS = 50.0
"""The most that a byte may cost beyond a harmless one: twice the law's 25, for slow and busy machines."""
TRIES = 5
"""How often it is measured before it counts: code that is too slow is so every time, a disturbance is not."""


def _once_ns(work: Work) -> int:
    collects = gc.isenabled()
    gc.disable()
    try:
        began = thread_time_ns()
        work()
        return thread_time_ns() - began
    finally:
        if collects:
            gc.enable()


def cost_ns(prepare: Prepare, size: int) -> int:
    """The least that it cost."""
    return min(_once_ns(prepare(size)) for _ in range(RUNS))


def check_growth(prepare: Prepare, size: int) -> None:
    """That the work grows no faster than its input, from `size` bytes to four times as many."""
    cheap = CHEAP_NS + CHEAP_RATE_NS * 4 * size
    large = _once_ns(prepare(4 * size))
    # The cheapest of several runs would cost no more than this one.
    if large <= cheap or large <= GROWTH * cost_ns(prepare, size):
        return
    small = 0
    for _ in range(TRIES):
        large, small = cost_ns(prepare, 4 * size), cost_ns(prepare, size)
        if large <= max(cheap, GROWTH * small):
            return
    raise AssertionError(f"{size} bytes cost {small / 1e6} ms, four times as many {large / 1e6} ms")


def check_rate(prepare: Prepare, harmless: Prepare, size: int) -> None:
    """That `size` bytes cost no more, byte by byte, than harmless ones and a little."""
    once = _once_ns(prepare(size))
    if once <= CHEAP_NS + CHEAP_RATE_NS * size:
        return
    # The cheapest of several runs would cost no more than this one.
    if once - cost_ns(harmless, size) <= CHEAP_NS + RATE_NS * size:
        return
    beyond = 0
    for _ in range(TRIES):
        beyond = cost_ns(prepare, size) - cost_ns(harmless, size)
        if beyond <= CHEAP_NS + RATE_NS * size:
            return
    raise AssertionError(f"{beyond / size:.0f} ns a byte beyond the normal way")
