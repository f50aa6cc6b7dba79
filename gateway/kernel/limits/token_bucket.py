"""Token buckets in whole microseconds: the arithmetic that every limiter shares.

A bucket is one number, its theoretical arrival time (GCRA): the instant at which it is full again. Whole microseconds,
so that Lua's doubles and Python's integers agree to the last digit: `gateway/limiter/scripts/bucket.lua` is the same in
Lua, and `tests/properties/test_limiter_model.py` compares the two.

Laws:
1. A bucket that was never used, or whose time has come, holds exactly `burst` tokens, and one comes back every
   `emission_us`: never faster than configured. So no stretch of time sees more than `burst` and what comes back in it.
2. `guarantee: burst` is a bucket of `max` tokens, refilled at `max` per `per`: the worst `per` sees a full bucket and a
   refill, at most 2 x `max`, and all time together no more than `max` per `per` beyond the first bucket. `guarantee:
   any-window` is a bucket of half of that, rounded up, and a refill so slow that with it no stretch as long as `per`
   sees more than `max`, wherever it begins and both of its ends included.
3. The windows of a call are decided together, whoever they belong to: it is charged to all of them or to none. Shadow
   windows do not decide. Each is charged when the call is let through and fits it, so that it counts as it would if it
   were enforced.
4. A clock that goes back gives no tokens, and locks nobody out for longer than an empty bucket does.
5. A limit that is changed keeps the tokens that were used of it, as far as the new one has as many. While some gateways
   have one version of it and others another, each version has a bucket of its own: every call is charged to all of
   them, and decided by that of its gateway. A call that takes nothing changes nothing for the others.
"""

from collections.abc import Sequence
from math import ceil
from sys import intern
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import force_setattr

from gateway.kernel.http.response_headers import as_text
from gateway.kernel.limits.quota import MeterState, Posting, Reservation
from gateway.kernel.memo import Memo

Store: TypeAlias = Literal["local", "redis", "cache", "fallback", "allow", "none"]
"""The decider: memory, Redis, a remembered refusal of Redis, memory or nobody while Redis is away, or nobody."""
LimitOwner: TypeAlias = Literal["key", "organization", "route"]
"""The owner of a bucket: one key (or address), all keys of an organisation, or all callers."""
Guarantee: TypeAlias = Literal["burst", "any-window"]
"""What a limit guarantees: law 2."""
OnFailure: TypeAlias = Literal["local", "allow", "deny"]
"""What a limit does while Redis is away: count this gateway's share of it, not count, refuse."""


class Window(msgspec.Struct, frozen=True, cache_hash=True):
    """One limit: `max` per `per_us`, in the sense of its `guarantee`.

    `id` is its name in replies. `name` is the suffix of the X-RateLimit-* fields (Second, Minute, Hour, Day, Month),
    None for other lengths. `on_failure` is None where the store's own setting holds. `burst` (how many tokens the
    bucket holds), `emission_us` (what one costs in time) and `full_us` (from empty to full) follow from the others.
    Raises ValueError unless `max` and `per_us` are 1 or more.
    """

    id: str
    max: int
    per_us: int
    name: str | None
    owner: LimitOwner = "key"
    guarantee: Guarantee = "burst"
    shadow: bool = False
    on_failure: OnFailure | None = None
    burst: int = 0
    emission_us: int = 0
    full_us: int = 0

    def __post_init__(self) -> None:
        if self.max < 1 or self.per_us < 1:
            raise ValueError("a window needs a max and a length of 1 or more")
        burst = burst_of(self.max, self.guarantee)
        anywhere = self.guarantee == "any-window"
        emission_us = self.per_us // (self.max - burst + 1) + 1 if anywhere else -(-self.per_us // self.max)
        force_setattr(self, "burst", burst)
        force_setattr(self, "emission_us", emission_us)
        force_setattr(self, "full_us", emission_us * burst)


def burst_of(limit: int, guarantee: Guarantee) -> int:
    """Return how many tokens the bucket of a limit holds: the highest cost that a call may have."""
    return limit if guarantee == "burst" else (limit + 1) // 2


def most(windows: Sequence[Window], cost: int, span_us: int) -> int | None:
    """Return the most calls of `cost` through all `windows` in any stretch of `span_us`; None for any number.

    Exact, not a bound: with full buckets at its beginning, whichever window is the tightest at a time is never full
    then.
    """
    if not cost or not windows:
        return None
    if any(cost > window.burst for window in windows):
        return 0
    return min((window.burst + span_us // window.emission_us) // cost for window in windows)


class Claim(msgspec.Struct, frozen=True, eq=False):
    """What a call needs to be admitted: `cost` tokens of every window. Built once for a caller, a route and a method.

    `keys` has the name of each window's bucket in the store: no two are the same, and all have one hash `tag` (the text
    in the first braces), so that a Redis Cluster keeps them on one node. `fields` are the header fields that every
    reply about the claim has, and `text` is the same as lines with CR and LF. Shadow windows come last, after
    `enforced` others. `postings` are what the call does to quotas and concurrency, under the same tag. `alone` is the
    window of a claim that is nothing but a cost (`alone_us`, in time) to one enforced window, as nearly every one is,
    also of those that only ask; None for others. Limiters keep `bucket` and `command` here: look-ups are slow.
    Claims are compared by identity. Raises ValueError for a cost below 0, and for shadow windows in front of others.
    """

    keys: tuple[str, ...]
    windows: tuple[Window, ...]
    cost: int = 1
    fields: tuple[tuple[str, str], ...] = ()
    postings: tuple[Posting, ...] = ()
    enforced: int = 0
    shadowed: bool = False
    tag: str = ""
    text: str = ""
    alone: Window | None = None
    alone_us: int = 0
    bucket: object = None
    command: object = None

    def __post_init__(self) -> None:
        if self.cost < 0:
            raise ValueError("a cost is 0 or more")
        enforced = sum(not window.shadow for window in self.windows)
        if any(window.shadow for window in self.windows[:enforced]):
            raise ValueError("shadow windows come last")
        first = self.keys[0] if self.keys else self.postings[0].key if self.postings else ""
        force_setattr(self, "tag", intern(tag_of(first)))  # one text for all claims of an organisation
        force_setattr(self, "text", _texts.get(self.fields) or _texts.keep(self.fields, as_text(self.fields)))
        force_setattr(self, "enforced", enforced)
        force_setattr(self, "shadowed", enforced < len(self.windows))
        alone = self.windows[0] if enforced == len(self.windows) == 1 and not self.postings else None
        force_setattr(self, "alone", alone)
        force_setattr(self, "alone_us", 0 if alone is None else self.cost * alone.emission_us)


_texts: Memo[tuple[tuple[str, str], ...], str] = Memo(1024)
"""Texts by fields: those of all keys of a plan are one string."""


def tag_of(key: str) -> str:
    """Return the hash tag of a key, which decides on which node of a cluster it is stored."""
    return key.partition("{")[2].partition("}")[0]


def claim(bucket: str, windows: Sequence[Window], cost: int = 1, fields: tuple[tuple[str, str], ...] = ()) -> Claim:
    """Return a claim whose windows all belong to one `bucket`, which is its own hash tag unless it has one."""
    name = bucket if "{" in bucket else f"{{{bucket}}}"
    return Claim(tuple([f"{name}:{window.id}" for window in windows]), tuple(windows), cost, fields)


class WindowState(msgspec.Struct, gc=False):
    """What is left of a window after a decision. Times in whole microseconds from now.

    `remaining` is whole tokens, never negative, and 0 for a window that refused.
    `full_us` is when the bucket is full again, `retry_us` when this call would fit (0 when it does now).
    """

    window: Window
    remaining: int
    full_us: int
    retry_us: int

    @property
    def full_s(self) -> float:
        """When the bucket is full again, in seconds."""
        return self.full_us / 1e6

    @property
    def retry_s(self) -> float:
        """When this call would fit, in seconds."""
        return self.retry_us / 1e6

    @property
    def used(self) -> int:
        """Tokens that were taken and have not come back yet. Begun ones count as whole."""
        return -(-self.full_us // self.window.emission_us)


class Decision(msgspec.Struct):
    """The decision of a limiter about one call: all windows, decided together.

    `states` has one entry a window that is enforced, in the claim's order; it is empty when there is no limit.
    `shadows` are those that would have refused the call, had they been enforced; none when another one did. `spent` are
    the quotas that refused it. `reservation` has to be committed and released when the call ends; None when there is
    nothing to do then.
    """

    allowed: bool
    store: Store
    states: tuple[WindowState, ...]
    shadows: tuple[Window, ...] = ()
    spent: tuple[MeterState, ...] = ()
    reservation: Reservation | None = None

    @property
    def refused_by(self) -> tuple[str, ...]:
        """The ids of the limits and quotas that refuse the call."""
        states = self.states
        if len(states) == 1 and states[0].retry_us and not self.spent:  # nearly always: the same as below
            return (states[0].window.id,)
        windows = [state.window.id for state in states if state.retry_us]
        return (*windows, *[state.meter.id for state in self.spent])


UNLIMITED = Decision(allowed=True, store="none", states=())
"""The decision where there is nothing to decide."""


def decide(
    tats_us: Sequence[int], windows: Sequence[Window], cost: int, now_us: int
) -> tuple[bool, list[int], Sequence[int]]:
    """Return whether a call of `cost` tokens fits all `windows`, the buckets' new times, and the shadows it exceeds.

    `tats_us` has one time a window, on the same clock as `now_us`; 0 for a bucket that was never used. The times
    returned are to be kept after a refusal too: there is no other change then than that none lies too far ahead.
    The shadows, by index, are those that would have refused a call that was let through; they are not charged.
    A cost of 0 asks without spending. A cost above a window's `burst` never fits.
    """
    allowed = True
    kept: list[int] = []
    over: list[int] = []
    for index, window in enumerate(windows):
        tat_us, empty_us = tats_us[index], now_us + window.full_us
        if tat_us > empty_us:
            tat_us = empty_us
        kept.append(tat_us)
        if (tat_us if tat_us > now_us else now_us) + cost * window.emission_us > empty_us:
            if window.shadow:
                over.append(index)
            else:
                allowed = False
    if allowed and cost:
        for index, window in enumerate(windows):
            tat_us = kept[index]
            kept[index] = (tat_us if tat_us > now_us else now_us) + cost * window.emission_us
        for index in over:
            kept[index] -= cost * windows[index].emission_us
    return allowed, kept, over if allowed else ()


def decide_alone(tat_us: int, window: Window, claim: Claim, now_us: int, store: Store) -> tuple[int, Decision]:
    """Do what `decide` and `decision` do for a claim that is `alone`. The time of a bucket that is full is now."""
    cost_us, full_us = claim.alone_us, window.full_us
    used_us = cost_us + (tat_us - now_us) if tat_us > now_us else cost_us
    if used_us <= full_us:
        return now_us + used_us, granted(store, window, used_us)
    used_us = min(used_us - cost_us, full_us)  # it was more if the clock has gone back
    if not cost_us:
        return now_us + used_us, granted(store, window, used_us)
    return now_us + used_us, Decision(False, store, (_refusing(window, used_us, cost_us),))  # noqa: FBT003


def granted(store: Store, window: Window, used_us: int) -> Decision:
    """Return the decision that lets a call through its only window, in which `used_us` is used after the call."""
    remaining = (window.full_us - used_us) // window.emission_us
    return Decision(True, store, (WindowState(window, remaining, used_us, 0),))  # noqa: FBT003 - a name costs


def carry(tat_us: int, old_emission_us: int, emission_us: int, now_us: int) -> int:
    """Return the time of a bucket whose limit was changed: as many tokens are used as before, at the new price each.

    One rounding a step, in doubles, because Lua has nothing else.
    """
    if tat_us <= now_us:
        return tat_us
    return now_us + ceil((tat_us - now_us) / old_emission_us * emission_us)


def decision(
    store: Store, tats_us: Sequence[int], claim: Claim, now_us: int, over: Sequence[int] = (), *, allowed: bool
) -> Decision:
    """Return the decision that `decide` found. `tats_us` and `over` are the times and indexes that it returned."""
    alone = claim.alone
    if alone is not None:
        return Decision(allowed, store, (_state(alone, tats_us[0] - now_us, claim.alone_us, allowed=allowed),))
    windows, cost = claim.windows, claim.cost
    shadows: tuple[Window, ...] = ()
    if claim.shadowed:
        shadows = tuple([windows[index] for index in over])
        windows = windows[: claim.enforced]
    states = [
        _state(window, tat_us - now_us, cost * window.emission_us, allowed=allowed)
        for window, tat_us in zip(windows, tats_us, strict=False)  # those of shadows follow
    ]
    return Decision(allowed, store, tuple(states), shadows)


def _state(window: Window, used_us: int, cost_us: int, *, allowed: bool) -> WindowState:
    """Return what is left of a window of which `used_us` is used, for a call that was decided as `allowed`."""
    used_us = max(used_us, 0)
    free_us = window.full_us - used_us
    if not allowed and cost_us > free_us:
        return _refusing(window, used_us, cost_us)
    return WindowState(window, free_us // window.emission_us, used_us, 0)


def _refusing(window: Window, used_us: int, cost_us: int) -> WindowState:
    """Return what is left of a window that refuses a call, because `used_us` is used and `cost_us` more do not fit."""
    return WindowState(window, 0, used_us, used_us + cost_us - window.full_us)
