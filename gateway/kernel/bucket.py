"""Token buckets in whole microseconds: the arithmetic that every limiter store shares.

A bucket is one number, its theoretical arrival time (GCRA): the instant at which it is full again.
Whole microseconds, so that Lua's doubles and Python's integers agree to the last digit.
"""

from typing import Literal, TypeAlias

import msgspec

Store: TypeAlias = Literal["local", "redis", "fallback", "allow", "none"]
"""Who decided: this process's memory, Redis, memory or nobody while Redis is away, nobody because there is no limit."""


class Window(msgspec.Struct, frozen=True):
    """One limit of a plan: at most `max` tokens saved up, refilled evenly at `max` per `per_us`.

    `name` is the suffix of the X-RateLimit-* fields (Second, Minute, Hour, Day), None for other lengths.
    """

    id: str
    max: int
    per_us: int
    name: str | None


class WindowState(msgspec.Struct):
    """What is left of a window after a decision. Times in seconds from now.

    `remaining` is whole tokens, never negative, and 0 for a window that refused.
    `full_s` is when the bucket is full again, `retry_s` when this call would fit (0.0 when it does now).
    """

    window: Window
    remaining: int
    full_s: float
    retry_s: float


class Decision(msgspec.Struct):
    """The one answer of a limiter to one call: all windows, decided together.

    `states` has one entry a window, in the plan's order; it is empty when there is no limit.
    """

    allowed: bool
    store: Store
    states: tuple[WindowState, ...]
