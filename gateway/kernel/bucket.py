"""Token buckets in whole microseconds: the arithmetic that every limiter store shares.

A bucket is one number, its theoretical arrival time (GCRA): the instant at which it is full again.
Whole microseconds, so that Lua's doubles and Python's integers agree to the last digit: `gateway/remote/bucket.lua`
says the same in Lua, and `tests/properties/test_limiter_model.py` holds the two against each other.

Laws:
1. A bucket that was never used, or whose time has come, holds exactly `max` tokens. A token comes back every
   `emission_us`, which is `per_us / max` rounded up: never faster than configured.
2. So the worst `per` sees a full bucket and a refill, at most 2 x `max` calls, and no `per` after it more than `max`
   on average.
3. The windows of a call are decided together: it is charged to all of them or to none.
4. A clock that goes back gives no tokens, and locks nobody out for longer than an empty bucket does.
5. A limit that is changed keeps the tokens that were used of it, as far as the new one has as many.
"""

from collections.abc import Sequence
from math import ceil
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import force_setattr

Store: TypeAlias = Literal["local", "redis", "fallback", "allow", "none"]
"""Who decided: this process's memory, Redis, memory or nobody while Redis is away, nobody because there is no limit."""


class Window(msgspec.Struct, frozen=True):
    """One limit of a plan: at most `max` tokens saved up, refilled evenly at `max` per `per_us`.

    `name` is the suffix of the X-RateLimit-* fields (Second, Minute, Hour, Day), None for other lengths.
    `emission_us` (what one token costs in time) and `full_us` (from empty to full) follow from the others.
    Raises ValueError unless `max` and `per_us` are 1 or more.
    """

    id: str
    max: int
    per_us: int
    name: str | None
    emission_us: int = 0
    full_us: int = 0

    def __post_init__(self) -> None:
        if self.max < 1 or self.per_us < 1:
            raise ValueError("a window needs a max and a length of 1 or more")
        emission_us = -(-self.per_us // self.max)
        force_setattr(self, "emission_us", emission_us)
        force_setattr(self, "full_us", emission_us * self.max)


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


UNLIMITED = Decision(True, "none", ())
"""The decision where there is nothing to decide."""


def decide(tats_us: Sequence[int], windows: Sequence[Window], cost: int, now_us: int) -> tuple[bool, list[int]]:
    """Whether a call of `cost` tokens fits all `windows`, and the buckets' times after it, charged or not.

    `tats_us` has one time a window, on the same clock as `now_us`; 0 for a bucket that was never used. The times
    returned are to be kept after a refusal too: there is no other change then than that none lies too far ahead.
    A cost of 0 asks without spending. A cost above a window's `max` never fits.
    """
    allowed = True
    kept: list[int] = []
    for index, window in enumerate(windows):
        tat_us = tats_us[index]
        empty_us = now_us + window.full_us
        if tat_us > empty_us:
            tat_us = empty_us
        kept.append(tat_us)
        if (tat_us if tat_us > now_us else now_us) + cost * window.emission_us > empty_us:
            allowed = False
    if allowed and cost:
        for index, window in enumerate(windows):
            tat_us = kept[index]
            kept[index] = (tat_us if tat_us > now_us else now_us) + cost * window.emission_us
    return allowed, kept


def carry(tat_us: int, old_emission_us: int, emission_us: int, now_us: int) -> int:
    """The time of a bucket whose limit was changed: as many tokens used as before, at the new price each.

    One rounding a step, in doubles, because Lua has nothing else.
    """
    if tat_us <= now_us:
        return tat_us
    return now_us + ceil((tat_us - now_us) / old_emission_us * emission_us)


def decision(allowed: bool, store: Store, tats_us: Sequence[int], windows: Sequence[Window], cost: int, now_us: int) -> Decision:
    """What `decide` found, in the caller's terms. `tats_us` are the times that it returned."""
    states: list[WindowState] = []
    for index, window in enumerate(windows):
        used_us = tats_us[index] - now_us
        if used_us < 0:
            used_us = 0
        room_us = window.full_us - used_us
        if not allowed and (short_us := cost * window.emission_us - room_us) > 0:
            states.append(WindowState(window, 0, used_us / 1e6, short_us / 1e6))
        else:
            states.append(WindowState(window, room_us // window.emission_us, used_us / 1e6, 0.0))
    return Decision(allowed, store, tuple(states))
