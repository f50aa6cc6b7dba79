"""The series that exchanges which are alike count in, looked up once instead of for each request."""

import msgspec

from gateway.observe.access_log import AccessRecord
from gateway.observe.instruments import Counter, Family, Histogram


class CacheSeries:
    """The series of the cache of one route, made when they are needed first."""

    __slots__ = ("_replies", "_replies_by_result", "_route", "_saved", "_saved_bytes")

    def __init__(self, route: str, replies: Family[Counter], saved_bytes: Family[Counter]) -> None:
        self._route = route
        self._replies = replies
        self._saved_bytes = saved_bytes
        self._replies_by_result: dict[str, Counter] = {}
        self._saved: Counter | None = None

    def count(self, result: str, saved_bytes: int) -> None:
        """Count a reply, and the bytes of its body that did not come from the service."""
        counter = self._replies_by_result.get(result)
        if counter is None:
            counter = self._replies_by_result[result] = self._replies.labels(self._route, result)
        counter.inc()
        if saved_bytes:
            if self._saved is None:
                self._saved = self._saved_bytes.labels(self._route)
            self._saved.inc(saved_bytes)


class RouteSeries(msgspec.Struct):
    """The series of one route, looked up once."""

    route: str
    duration: Histogram
    overhead: Histogram
    request_bytes: Counter
    response_bytes: Counter
    cache: CacheSeries


class UpstreamSeries(msgspec.Struct):
    """The series of one upstream, looked up once. `requests` are by status."""

    requests: dict[int, Counter]
    duration: Histogram


class ExchangeSeries(msgspec.Struct):
    """What exchanges have in common that are alike in route, method, status, source, outcome, fault and decision.

    `requests` counts them, `decisions` and `decision_duration` what the limiter decided (None if it did not). `record`
    is an access record with all that is the same for each of them, None before the first; whoever writes a line sets
    the rest.
    """

    route: RouteSeries
    requests: Counter
    decisions: Counter | None
    decision_duration: Histogram | None
    record: AccessRecord | None = None
