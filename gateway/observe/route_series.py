"""The series of one route and of one upstream, looked up once instead of for each request."""

import msgspec

from gateway.observe.instruments import Counter, Histogram


class RouteSeries(msgspec.Struct):
    """The series of one route, looked up once. `requests` are by method, status and source."""

    route: str
    requests: dict[tuple[str, int, str], Counter]
    duration: Histogram
    overhead: Histogram
    request_bytes: Counter
    response_bytes: Counter


class UpstreamSeries(msgspec.Struct):
    """The series of one upstream, looked up once. `requests` are by status."""

    requests: dict[int, Counter]
    duration: Histogram
