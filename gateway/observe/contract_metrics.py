"""The series about what requests are like."""

from gateway.observe.families import Families
from gateway.observe.shared_memory import Region

_ROUTES = 2000


class ContractMetrics(Families):
    """The metrics of the contracts of routes."""

    def __init__(self, region: Region) -> None:
        super().__init__(region)
        self.requests_at_fault = self._counter(
            "gateway_requests_at_fault_total",
            "Requests that were not as their route describes them, refused (enforce) or let through (shadow).",
            ("route", "mode"),
            2 * _ROUTES,
        )
        self.replies_checked = self._counter(
            "gateway_replies_checked_total",
            "Replies of services that were drawn for a check by their document: as_described, drift, partial (the body "
            "was not in memory and is as it may), dropped (too many were waiting).",
            ("route", "result"),
            4 * _ROUTES,
        )
        self.reply_drift = self._counter(
            "gateway_reply_drift_total",
            "Checked replies that differ, by kind: status, media_type, body (it cannot be read), missing, type, "
            "unknown_field, value.",
            ("route", "kind"),
            7 * _ROUTES,
        )
