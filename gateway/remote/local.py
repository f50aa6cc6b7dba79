"""Buckets in the memory of this process: the limiter of a gateway without Redis, and the fallback of one with it.

Memory is bounded without a background task: every so many calls look at some buckets and drop those that are full,
which are as good as new. At `max_buckets` callers that are not yet known share `SHARED_SLOTS` buckets, chosen by their
hash: the known ones keep their state, and nobody gets more than the limit, though some newcomers get less.
"""

from collections import deque
from collections.abc import Hashable

import msgspec

from gateway.kernel.bucket import UNLIMITED, Decision, Store, Window, carry, decide, decision
from gateway.kernel.clock import Clock

MAX_BUCKETS = 1_000_000
SHARED_SLOTS = 256
SWEEP_EVERY_CALLS = 64
SWEEP_BUCKETS = 128


class _Bucket(msgspec.Struct):
    """The times of a caller's windows, in microseconds of the monotonic clock."""

    windows: tuple[Window, ...]
    tats_us: list[int]


class _Legacy(msgspec.Struct):
    """`entries` are a bucket's name, which of `plans` its windows are, and their times."""

    plans: list[tuple[Window, ...]]
    entries: list[tuple[str | tuple[int, int], int, list[int]]]


class LocalLimiter:
    """A Limiter whose buckets die with the process. `store` is what its decisions say of their origin."""

    def __init__(self, clock: Clock, *, store: Store = "local", max_buckets: int = MAX_BUCKETS) -> None:
        self._monotonic = clock.monotonic
        self._store: Store = store
        self._max_buckets = max_buckets
        self._buckets: dict[Hashable, _Bucket] = {}
        self._sweep_order: deque[Hashable] = deque()
        self._calls_to_sweep = SWEEP_EVERY_CALLS

    def __repr__(self) -> str:
        return f"<LocalLimiter {len(self._buckets)} buckets>"

    def export(self) -> bytes:
        """All that is known, for `adopt` in another process of this machine, whose monotonic clock is the same."""
        plans: dict[tuple[Window, ...], int] = {}
        entries: list[tuple[str | tuple[int, int], int, list[int]]] = []
        for name, state in self._buckets.items():
            plan = plans.setdefault(state.windows, len(plans))
            # A shared bucket is named by its windows and a number.
            entries.append((name if isinstance(name, str) else (plan, name[1]), plan, state.tats_us))  # type: ignore[index]
        return msgspec.msgpack.encode(_Legacy(list(plans), entries))

    def adopt(self, legacy: bytes) -> None:
        """Go on where another one ended. Buckets that are known here stay as they are. Raises msgspec.MsgspecError."""
        told = msgspec.msgpack.decode(legacy, type=_Legacy)
        for name, plan, tats_us in told.entries:
            windows = told.plans[plan]
            key: Hashable = name if isinstance(name, str) else (windows, name[1])
            if key not in self._buckets:
                self._buckets[key] = _Bucket(windows, tats_us)
                self._sweep_order.append(key)

    async def decide(self, bucket: str, windows: tuple[Window, ...], cost: int = 1) -> Decision:
        """`decide_now`, for callers that take any Limiter."""
        return self.decide_now(bucket, windows, cost)

    def decide_now(self, bucket: str, windows: tuple[Window, ...], cost: int = 1) -> Decision:
        """As `Limiter.decide`; raises nothing.

        A window is known by its id: one that changed keeps what was used, one that is no longer named is forgotten.
        """
        if not windows:
            return UNLIMITED
        now_us = int(self._monotonic() * 1e6 + 0.5)
        state = self._buckets.get(bucket)
        if state is None:
            state = self._begin(bucket, windows)
        if state.windows is not windows:
            state.tats_us = _carried(state, windows, now_us)
            state.windows = windows
        allowed, state.tats_us = decide(state.tats_us, windows, cost, now_us)
        self._calls_to_sweep -= 1
        if not self._calls_to_sweep:
            self._sweep(now_us)
        return decision(allowed, self._store, state.tats_us, windows, cost, now_us)

    def _begin(self, bucket: str, windows: tuple[Window, ...]) -> _Bucket:
        name: Hashable = bucket
        if len(self._buckets) >= self._max_buckets:
            name = (windows, hash(bucket) % SHARED_SLOTS)
            shared = self._buckets.get(name)
            if shared is not None:
                return shared
        state = self._buckets[name] = _Bucket(windows, [0] * len(windows))
        self._sweep_order.append(name)
        return state

    def _sweep(self, now_us: int) -> None:
        self._calls_to_sweep = SWEEP_EVERY_CALLS
        for _ in range(min(SWEEP_BUCKETS, len(self._sweep_order))):
            name = self._sweep_order.popleft()
            if max(self._buckets[name].tats_us) <= now_us:
                del self._buckets[name]
            else:
                self._sweep_order.append(name)


def _carried(state: _Bucket, windows: tuple[Window, ...], now_us: int) -> list[int]:
    known = {window.id: (window, tat_us) for window, tat_us in zip(state.windows, state.tats_us, strict=True)}
    tats_us = []
    for window in windows:
        old, tat_us = known.get(window.id, (window, 0))
        if old.emission_us != window.emission_us:
            tat_us = carry(tat_us, old.emission_us, window.emission_us, now_us)
        tats_us.append(tat_us)
    return tats_us
