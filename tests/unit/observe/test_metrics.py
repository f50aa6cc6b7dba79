from prometheus_client.parser import text_string_to_metric_families

from gateway.observe.metrics import DURATION_BUCKETS_S, NO_ROUTE, OVERHEAD_BUCKETS_S, Metrics
from gateway.observe.shared_memory import SLOTS, Declaration, Region
from tests.scrape import scraped


def samples(metrics: Metrics) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(scraped(metrics).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_request_leaves_its_marks() -> None:
    metrics = Metrics()
    metrics.in_flight.inc()
    metrics.requests.labels("orders", "GET", 200, "upstream").inc()
    metrics.requests.labels(NO_ROUTE, "BREW", 405, "gateway").inc()
    metrics.rejected.labels("rate_limited", 8000).inc()
    metrics.request_duration.labels("orders").observe(0.03)
    metrics.overhead.labels("orders").observe(0.0002)
    metrics.request_bytes.labels("orders").inc(10)
    metrics.response_bytes.labels("orders").inc(1024)
    found = samples(metrics)
    assert found["gateway_requests_in_flight"] == 1
    assert found["gateway_requests_total{code=200,method=GET,route=orders,source=upstream}"] == 1
    assert found["gateway_requests_total{code=405,method=other,route=-,source=gateway}"] == 1
    assert found["gateway_rejected_total{code=8000,reason=rate_limited}"] == 1
    assert found["gateway_request_duration_seconds_bucket{le=0.025,route=orders}"] == 0
    assert found["gateway_request_duration_seconds_bucket{le=0.05,route=orders}"] == 1
    assert found["gateway_overhead_seconds_bucket{le=0.00025,route=orders}"] == 1
    assert found["gateway_request_bytes_total{route=orders}"] == 10
    assert found["gateway_response_bytes_total{route=orders}"] == 1024


def test_redis_is_absent_until_there_is_one() -> None:
    metrics = Metrics()
    assert "gateway_redis_up" not in samples(metrics)
    metrics.redis_up.labels().set(0)
    assert samples(metrics)["gateway_redis_up"] == 0


def test_a_scrape_asks_the_watched_sources() -> None:
    metrics = Metrics()
    open_connections, idle, dropped = 3, 2, 5
    metrics.client_connections.watch(lambda: open_connections)
    metrics.upstream_connections.labels("orders", "idle").watch(lambda: idle)
    metrics.log_dropped.watch(lambda: dropped)
    found = samples(metrics)
    assert found["gateway_client_connections"] == 3
    assert found["gateway_upstream_connections{state=idle,upstream=orders}"] == 2
    assert found["gateway_log_dropped_total"] == 5
    open_connections, idle = 0, 0
    assert samples(metrics)["gateway_client_connections"] == 0


def test_buckets_are_the_configuration_s() -> None:
    metrics = Metrics(buckets=[0.5, 1], overhead_buckets=[0.001])
    metrics.request_duration.labels("orders").observe(0.7)
    metrics.upstream_duration.labels("orders").observe(0.7)
    metrics.overhead.labels("orders").observe(0.7)
    found = samples(metrics)
    assert found["gateway_request_duration_seconds_bucket{le=1.0,route=orders}"] == 1
    assert found["gateway_upstream_duration_seconds_bucket{le=0.5,upstream=orders}"] == 0
    assert [name for name in found if name.startswith("gateway_overhead_seconds_bucket")] == [
        "gateway_overhead_seconds_bucket{le=0.001,route=orders}",
        "gateway_overhead_seconds_bucket{le=+Inf,route=orders}",
    ]


def test_default_buckets_ascend() -> None:
    for buckets in (DURATION_BUCKETS_S, OVERHEAD_BUCKETS_S):
        assert list(buckets) == sorted(set(buckets))


def test_every_cap_fits_into_one_region() -> None:
    """So that with the default buckets no series is ever refused for want of room."""
    metrics = Metrics(region=Region.create())
    slots = sum((family.cap + 1) * family.declaration.width for family in metrics.families)
    assert slots < SLOTS


def test_a_worker_can_count_in_memory_that_it_was_given() -> None:
    region = Region.create()
    Metrics(region=region).requests.labels("orders", "GET", 200, "upstream").inc(5)
    successor = Metrics(region=Region(region.memory))
    successor.requests.labels("orders", "GET", 200, "upstream").inc()
    assert samples(successor)["gateway_requests_total{code=200,method=GET,route=orders,source=upstream}"] == 6
    declared = [entry for entry in region.entries(0)[0] if isinstance(entry, Declaration)]
    assert declared == [family.declaration for family in successor.families]
