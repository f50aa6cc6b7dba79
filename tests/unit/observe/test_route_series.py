"""The series of a route and of an upstream."""

from gateway.observe.metrics import Metrics
from gateway.observe.route_series import UpstreamSeries


def test_of_an_upstream() -> None:
    metrics = Metrics()
    series = UpstreamSeries({200: metrics.upstream_requests.labels("a", 200)}, metrics.upstream_duration.labels("a"))
    series.requests[200].inc()
    series.duration.observe(0.5)
    assert series.duration.count == 1
