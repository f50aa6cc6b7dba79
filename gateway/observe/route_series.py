"""The series that exchanges which are alike count in, looked up once instead of for each request."""

import msgspec

from gateway.observe.access_log import AccessRecord
from gateway.observe.instruments import Counter, Histogram


class RouteSeries(msgspec.Struct):
    """The series of one route, looked up once."""

    route: str
    duration: Histogram
    overhead: Histogram
    request_bytes: Counter
    response_bytes: Counter


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
