"""The series about calls that are repeated, held back or copied."""

from gateway.observe.families import Families
from gateway.observe.shared_memory import Region

ROUTES, UPSTREAMS = 2000, 200
"""Caps on the series of a family, per thing that its labels name."""


class TrafficMetrics(Families):
    """A part of the metrics of one worker."""

    def __init__(self, region: Region) -> None:
        super().__init__(region)
        self.upstream_retries_refused = self._counter(
            "gateway_upstream_retries_refused_total",
            "Requests that were not tried once more, because the budget of `retry` was spent.",
            ("upstream",),
            UPSTREAMS,
        )
        self.upstream_hedges = self._counter(
            "gateway_upstream_hedges_total",
            "Second attempts of calls whose target was slow, by which one has answered (won: the second, lost: the "
            "first, failed: neither); refused: those that the budget of `hedge` did not allow.",
            ("upstream", "result"),
            4 * UPSTREAMS,
        )
        self.mirrored = self._counter(
            "gateway_mirrored_total",
            "Copies of calls that went to the upstream of `mirror`, by what became of them (sent, same, status, shape, "
            "failed, skipped).",
            ("route", "result"),
            6 * ROUTES,
        )
        self.upstream_concurrency = self._gauge(
            "gateway_upstream_concurrency",
            "Calls to upstreams with `adaptive_concurrency`: the limit, calls in flight and calls that wait.",
            ("upstream", "state"),
            3 * UPSTREAMS,
        )
        self.upstream_shed = self._counter(
            "gateway_upstream_shed_total",
            "Requests refused because an upstream was at its limit of concurrency, by the priority of their plan.",
            ("upstream", "priority"),
            10 * UPSTREAMS,
        )
