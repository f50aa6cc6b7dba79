"""The series about what requests are like."""

from gateway.observe.families import Families
from gateway.observe.shared_memory import Region

_MOST_SERIES = 4000
"""Two modes of 2,000 routes."""


class ContractMetrics(Families):
    """The metrics of the contracts of routes."""

    def __init__(self, region: Region) -> None:
        super().__init__(region)
        self.requests_at_fault = self._counter(
            "gateway_requests_at_fault_total",
            "Requests that were not as their route describes them, refused (enforce) or let through (shadow).",
            ("route", "mode"),
            _MOST_SERIES,
        )
