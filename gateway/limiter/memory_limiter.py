"""Buckets in the memory of this process: the limiter of a gateway without Redis, and the fallback of one with it.

Memory is bounded without a background task: beyond `kept_buckets`, every so many calls look at some and drop those that
are full, which are as good as new. Fewer stay, for callers that come again. At `max_buckets` those that are not yet
known share `SHARED_SLOTS` buckets a limit, chosen by their hash: the known ones keep their state, and nobody gets more
than the limit, though some new callers get less.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from math import ceil

import msgspec
from msgspec.structs import force_setattr

from gateway.kernel.clock import Clock
from gateway.kernel.limits.quota import MeterState, Posting
from gateway.kernel.limits.token_bucket import (
    UNLIMITED,
    Claim,
    Decision,
    Store,
    Window,
    carry,
    decide,
    decide_alone,
    decision,
)
from gateway.kernel.memo import MANY_CALLERS
from gateway.kernel.struct_attributes import set_as_slots
from gateway.limiter import memory_state
from gateway.limiter.interface import Condition, LimiterState
from gateway.limiter.memory_quotas import MemoryQuotas
from gateway.limiter.memory_state import SavedKey

MAX_BUCKETS = 1_000_000
KEPT_BUCKETS = MANY_CALLERS
"""Buckets that stay though they are full, some 300 bytes each."""
SHARED_SLOTS = 256
SWEEP_EVERY_CALLS = 64
SWEEP_BUCKETS = 128


@set_as_slots
class _Bucket(msgspec.Struct):
    """When the bucket is full, in us of the monotonic clock, and the price of a token when that was written.

    `limiter` is the one whose bucket it is, None when it was dropped.
    """

    tat_us: int
    emission_us: int
    limiter: "LocalLimiter | None"


class LocalLimiter:
    """A Limiter whose buckets and quotas (`memory_quotas`) end with the process.

    Its decisions name `store` as their origin.
    """

    call = None
    owed = 0
    lost = 0

    def __init__(
        self,
        clock: Clock,
        *,
        store: Store = "local",
        max_buckets: int = MAX_BUCKETS,
        kept_buckets: int = KEPT_BUCKETS,
    ) -> None:
        self._monotonic = clock.monotonic
        self.memory_quotas = MemoryQuotas(clock)
        self._store: Store = store
        self._max_buckets = max_buckets
        self._kept_buckets = min(kept_buckets, max_buckets // 2)
        self._buckets: dict[Hashable, _Bucket] = {}
        self._sweep_order: deque[Hashable] = deque()
        self._calls_to_sweep = SWEEP_EVERY_CALLS

    def __repr__(self) -> str:
        return f"<LocalLimiter {len(self._buckets)} buckets>"

    @property
    def buckets(self) -> int:
        """The number of buckets in memory."""
        return len(self._buckets)

    def condition(self) -> Condition:
        """See `Limiter.condition`."""
        return Condition("memory", "memory", None, self.buckets, 0, 0)

    async def renew(self, keys: Sequence[str]) -> bool:
        """See `Limiter.renew`."""
        self.renew_now(keys)
        return True

    def renew_now(self, keys: Sequence[str]) -> None:
        """Fill buckets. Keys without a bucket of their own share one, which stays as it is."""
        for key in keys:
            if (bucket := self._buckets.get(key)) is not None:
                bucket.tat_us = 0

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        """See `Limiter.read`. Raises nothing."""
        return self.memory_quotas.read(postings)

    async def forget(self, key: str) -> bool:
        """See `Limiter.forget`."""
        self.memory_quotas.forget(key)
        return True

    async def start(self) -> None:
        """See `Limiter.start`: there is nothing to connect to."""

    async def close(self) -> None:
        """See `Limiter.close`: there is nothing to finish."""

    def hand_over(self) -> LimiterState:
        """See `Limiter.hand_over`. The times are of the monotonic clock, which all processes of a machine share."""
        windows: dict[Window, int] = {}
        entries: list[tuple[SavedKey, int, int]] = []
        for name, bucket in self._buckets.items():
            # A shared bucket is named by its window and a number.
            key = name if isinstance(name, str) else (windows.setdefault(name[0], len(windows)), name[1])  # type: ignore[index]
            entries.append((key, bucket.tat_us, bucket.emission_us))
        return LimiterState(memory=memory_state.encode(list(windows), entries, self.memory_quotas.export()))

    def adopt(self, state: LimiterState, *, share_only: bool = False) -> None:  # noqa: ARG002 - nothing is owed here
        """See `Limiter.adopt`. Buckets that are known here stay as they are."""
        if not state.memory:
            return
        content = memory_state.decode(state.memory)
        self.memory_quotas.adopt(content.meters)
        windows = [saved.window() for saved in content.windows]
        for name, tat_us, emission_us in content.entries:
            key: Hashable = name if isinstance(name, str) else (windows[name[0]], name[1])
            if key not in self._buckets:
                self._buckets[key] = _Bucket(tat_us, emission_us, self)
                self._sweep_order.append(key)

    def names(self) -> list[str]:
        """Return the keys of all buckets, except for those that several keys share."""
        return [name for name in self._buckets if isinstance(name, str)]

    def bucket(self, key: str) -> tuple[int, int] | None:
        """Return when a bucket is full, in us of the monotonic clock, and a token's price; None if none was taken."""
        bucket = self._buckets.get(key)
        return None if bucket is None else (bucket.tat_us, bucket.emission_us)

    def add(self, key: str, tat_us: int, emission_us: int) -> None:
        """Take from a bucket what another process took from its own: as many tokens, at their price here."""
        now_us = int(self._monotonic() * 1e6 + 0.5)
        if tat_us <= now_us or (key not in self._buckets and len(self._buckets) >= self._max_buckets):
            return
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = _Bucket(tat_us, emission_us, self)
            self._sweep_order.append(key)
        else:
            bucket.tat_us = max(bucket.tat_us, now_us) + ceil((tat_us - now_us) / emission_us * bucket.emission_us)

    async def decide(self, claim: Claim) -> Decision:
        """See `Limiter.decide`. Raises nothing."""
        return self.decide_now(claim)

    def decide_now(self, claim: Claim) -> Decision:
        """See `Limiter.decide`. Raises nothing."""
        return self.decide_at(claim, self._monotonic())

    def decide_at(self, claim: Claim, now_s: float) -> Decision:
        """Do what `decide_now` does, given the reading of the monotonic clock, in seconds."""
        window, now_us = claim.alone, int(now_s * 1e6 + 0.5)
        if window is None:
            return self._decide_together(claim, now_us)
        bucket = claim.bucket
        if not isinstance(bucket, _Bucket) or bucket.limiter is not self:
            bucket = self._bucket_of(claim, window)
        if bucket.emission_us != window.emission_us:
            _reprice(bucket, window, now_us)
        bucket.tat_us, decided = decide_alone(bucket.tat_us, window, claim, now_us, self._store)
        self._calls_to_sweep -= 1
        if not self._calls_to_sweep:
            self._sweep(now_us)
        return decided

    def _decide_together(self, claim: Claim, now_us: int) -> Decision:
        """Decide by all buckets and quotas: ask the buckets at no cost if a quota is spent, otherwise charge all."""
        postings = claim.postings
        if not postings and not claim.windows:
            return UNLIMITED
        spent = self.memory_quotas.spent(postings) if postings else ()
        fits, tats_us, over = self._charge(claim, 0 if spent else claim.cost, now_us)
        decided = decision(self._store, tats_us, claim, now_us, over, allowed=fits and not spent)
        decided.spent = spent
        self._calls_to_sweep -= 1
        if not self._calls_to_sweep:
            self._sweep(now_us)
        if postings and decided.allowed:
            decided.reservation = self.memory_quotas.reserve(postings)
        return decided

    def _charge(self, claim: Claim, cost: int, now_us: int) -> tuple[bool, list[int], Sequence[int]]:
        """Return what `decide` of the token buckets does. `cost` may be less than the claim's."""
        buckets, tats_us = [], []
        for index, key in enumerate(claim.keys):
            window = claim.windows[index]
            bucket = self._buckets.get(key) or self._new_bucket(key, window)
            if bucket.emission_us != window.emission_us:
                _reprice(bucket, window, now_us)
            buckets.append(bucket)
            tats_us.append(bucket.tat_us)
        allowed, tats_us, over = decide(tats_us, claim.windows, cost, now_us)
        for index, bucket in enumerate(buckets):
            bucket.tat_us = tats_us[index]
        return allowed, tats_us, over

    def _bucket_of(self, claim: Claim, window: Window) -> _Bucket:
        """Return the bucket of a claim with one window. The claim keeps it, unless other keys share it."""
        key = claim.keys[0]
        bucket = self._buckets.get(key) or self._new_bucket(key, window)
        if key in self._buckets:
            force_setattr(claim, "bucket", bucket)
        return bucket

    def _new_bucket(self, key: str, window: Window) -> _Bucket:
        name: Hashable = key
        if len(self._buckets) >= self._max_buckets:
            name = (window, hash(key) % SHARED_SLOTS)
            shared = self._buckets.get(name)
            if shared is not None:
                return shared
        bucket = self._buckets[name] = _Bucket(0, window.emission_us, self)
        self._sweep_order.append(name)
        return bucket

    def _sweep(self, now_us: int) -> None:
        self._calls_to_sweep = SWEEP_EVERY_CALLS
        for _ in range(min(SWEEP_BUCKETS, len(self._buckets) - self._kept_buckets)):
            name = self._sweep_order.popleft()
            if self._buckets[name].tat_us <= now_us:
                self._buckets.pop(name).limiter = None
            else:
                self._sweep_order.append(name)


def _reprice(bucket: _Bucket, window: Window, now_us: int) -> None:
    bucket.tat_us = carry(bucket.tat_us, bucket.emission_us, window.emission_us, now_us)
    bucket.emission_us = window.emission_us
