"""The series of a route and of an upstream."""

from gateway.observe.metrics import Metrics
from gateway.observe.route_series import CacheSeries, UpstreamSeries


def test_of_an_upstream() -> None:
    metrics = Metrics()
    series = UpstreamSeries({200: metrics.upstream_requests.labels("a", 200)}, metrics.upstream_duration.labels("a"))
    series.requests[200].inc()
    series.duration.observe(0.5)
    assert series.duration.count == 1


def test_of_the_cache_of_a_route() -> None:
    metrics = Metrics()
    series = CacheSeries("r", metrics.cache_requests, metrics.cache_saved_bytes)
    for result, saved_bytes in (("hit", 5), ("hit", 6), ("miss", 0)):
        series.count(result, saved_bytes)
    counts = [metrics.cache_requests.labels("r", result).value for result in ("hit", "miss")]
    assert (counts, metrics.cache_saved_bytes.labels("r").value) == ([2, 1], 11)
