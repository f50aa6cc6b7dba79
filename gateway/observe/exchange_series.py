"""The series that exchanges which are alike count in, looked up once instead of for each request."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from gateway.kernel.struct_attributes import set_as_slots
from gateway.observe.instruments import Counter, Histogram, Slots
from gateway.observe.metrics import Metrics

Observation: TypeAlias = tuple[float, float, float, float, int, int]
"""What is measured of an exchange: its duration and the parts of gateway, upstream and limiter, in seconds; the bytes
of the bodies of request and reply."""

HistogramSlots: TypeAlias = tuple[int, int, float, tuple[float, ...]]
"""The slot of the first bucket and that of the sum, the bound of the first one, and the bounds of all."""

_FEW = 3
"""As many exchanges cost less one by one than all at once."""

ErrorKind: TypeAlias = tuple[int, int | None, str, str]
"""Status, code (None without a reply), who made the status, and the name of the fault ("" for none)."""

CalledPlace: TypeAlias = tuple[str, str]
"""An upstream, and the target that has answered ("" for none)."""


class UpstreamSeries(msgspec.Struct):
    """The series in which a call to an upstream counts, `counters` by one each."""

    duration: Histogram
    counters: tuple[Counter, ...]

    @classmethod
    def of(cls, metrics: Metrics, upstream: str, status: int | None, fault: str | None) -> "UpstreamSeries":
        """Return those of a call with this `status` (None without an answer) and `fault` (None: not the upstream's)."""
        counters: list[Counter] = []
        if status is not None:
            counters.append(metrics.upstream_requests.labels(upstream, status))
        if fault is not None:
            counters.append(metrics.upstream_errors.labels(upstream, fault))
        return cls(metrics.upstream_duration.labels(upstream), tuple(counters))

    def count(self, duration_s: float) -> None:
        """Count a call that no client has waited for."""
        self.duration.observe(duration_s)
        for counter in self.counters:
            counter.inc()


@set_as_slots
class ExchangeSeries(msgspec.Struct, eq=False):
    """What exchanges have in common that are alike, and the places in memory where they count.

    `called` is None without a call. `answered`: the client has got a whole reply. `failed`: it has not, or one with an
    error, whose kind is `error` then (None below 400). `decided`: the limiter has decided about it.

    Numbers are added to `slots` here and not by the instruments: as many calls as there are series cost a request more
    than anything else about counting. `counters` are the slots that go up by one. `overhead`, `limiter` and `upstream`
    are None where that is not measured. `remembered`: exchanges that are alike find these series again. `uncounted` are
    those that `count_all` has to count. `shared_members` is what their access lines have in common, None before the
    first exchange.
    """

    route: str
    status: int
    source: str
    called: CalledPlace | None
    error: ErrorKind | None
    answered: bool
    failed: bool
    decided: bool
    slots: "Slots | SeveralMemories"
    counters: tuple[int, ...]
    duration: HistogramSlots
    overhead: HistogramSlots | None
    limiter: HistogramSlots | None
    upstream: HistogramSlots | None
    request_bytes: int
    response_bytes: int
    remembered: bool = False
    uncounted: list[Observation] = []
    shared_members: tuple[Any, ...] | None = None

    def count(
        self, total_s: float, own_s: float, upstream_s: float, limiter_s: float, received_bytes: int, sent_bytes: int
    ) -> None:
        """Count the exchange of an `Observation`.

        Most durations are in the first bucket, for which no search is needed; the gateway's part seldom is.
        """
        slots = self.slots
        for slot in self.counters:
            slots[slot] += 1.0
        first, summed, lowest, bounds = self.duration
        slots[first if total_s <= lowest else first + bisect_left(bounds, total_s)] += 1.0
        slots[summed] += total_s
        if self.overhead is not None:
            first, summed, _, bounds = self.overhead
            slots[first + bisect_left(bounds, own_s)] += 1.0
            slots[summed] += own_s
        if self.limiter is not None:
            first, summed, lowest, bounds = self.limiter
            slots[first if limiter_s <= lowest else first + bisect_left(bounds, limiter_s)] += 1.0
            slots[summed] += limiter_s
        if self.upstream is not None:
            first, summed, lowest, bounds = self.upstream
            slots[first if upstream_s <= lowest else first + bisect_left(bounds, upstream_s)] += 1.0
            slots[summed] += upstream_s
        if received_bytes:
            slots[self.request_bytes] += received_bytes
        if sent_bytes:
            slots[self.response_bytes] += sent_bytes

    def count_all(self) -> None:
        """Count all that are `uncounted`, each number once if there are several: that costs more than all else."""
        observations, self.uncounted = self.uncounted, []
        number, slots = len(observations), self.slots
        if number <= _FEW:
            for observation in observations:
                self.count(*observation)
            return
        for slot in self.counters:
            slots[slot] += number
        totals_s, owns_s, upstreams_s, limiters_s, received_bytes, sent_bytes = zip(*observations, strict=True)
        self._observe(self.duration, totals_s)
        self._observe(self.overhead, owns_s)
        self._observe(self.limiter, limiters_s)
        self._observe(self.upstream, upstreams_s)
        slots[self.request_bytes] += sum(received_bytes)
        slots[self.response_bytes] += sum(sent_bytes)

    def _observe(self, histogram: HistogramSlots | None, values: Sequence[float]) -> None:
        """Count several durations in a histogram, each bucket once."""
        if histogram is None:
            return
        slots, (first, summed, lowest, bounds) = self.slots, histogram
        ordered, below, bucket, last = sorted(values), 0, 0, 0
        if ordered[-1] > lowest:
            bucket, last = bisect_left(bounds, ordered[0]), bisect_left(bounds, ordered[-1])
        while bucket < last:
            upto = bisect_right(ordered, bounds[bucket])
            if upto > below:
                slots[first + bucket] += upto - below
            below, bucket = upto, bucket + 1
        slots[first + last] += len(ordered) - below
        slots[summed] = sum(values, slots[summed])


class SeveralMemories:
    """Numbers slots of a region and, behind them, of instruments for which the region had no room."""

    def __init__(self, slots: "memoryview[float]") -> None:
        self._region = slots
        self._others: list[tuple[Slots, int]] = []

    def __getitem__(self, number: int) -> float:
        slots, at = self._locate(number)
        return slots[at]

    def __setitem__(self, number: int, value: float) -> None:
        slots, at = self._locate(number)
        slots[at] = value

    def first_slot(self, instrument: Counter | Histogram) -> int:
        """Return the number of the first slot of `instrument`."""
        if instrument.slots is self._region:
            return instrument.slot
        width = len(instrument.slots)
        self._others += [(instrument.slots, at) for at in range(width)]
        return len(self._region) + len(self._others) - width

    @property
    def alone(self) -> "memoryview[float] | None":
        """The region, if everything has its place there; None if not."""
        return None if self._others else self._region

    def _locate(self, number: int) -> "tuple[Slots, int]":
        others_at = number - len(self._region)
        return (self._region, number) if others_at < 0 else self._others[others_at]


def exchange_series(
    metrics: Metrics,
    about: tuple[str, ErrorKind, CalledPlace | None],
    counters: Sequence[Counter],
    limiter: Histogram | None,
    upstream: UpstreamSeries | None,
    *,
    answered: bool,
) -> ExchangeSeries:
    """Return the series of exchanges with this route, kind and called place.

    `counters` count them, beside those of `upstream`; the others are None where the limiter or no upstream took part.
    """
    route, kind, called = about
    status, _, source, _ = kind
    memory = SeveralMemories(metrics.region.slots)

    def histogram(one: Histogram) -> HistogramSlots:
        first = memory.first_slot(one)
        return first, first + len(one.bounds) + 1, one.bounds[0], one.bounds

    series = ExchangeSeries(
        route=route,
        status=status,
        source=source,
        called=called,
        error=kind if status >= 400 else None,
        answered=answered,
        failed=status >= 400 or not answered,
        decided=limiter is not None,
        slots=memory,
        counters=tuple([memory.first_slot(each) for each in (*counters, *(upstream.counters if upstream else ()))]),
        duration=histogram(metrics.request_duration.labels(route)),
        overhead=histogram(metrics.overhead.labels(route)) if answered else None,
        limiter=None if limiter is None else histogram(limiter),
        upstream=None if upstream is None else histogram(upstream.duration),
        request_bytes=memory.first_slot(metrics.request_bytes.labels(route)),
        response_bytes=memory.first_slot(metrics.response_bytes.labels(route)),
    )
    series.slots = memory.alone or memory
    return series
