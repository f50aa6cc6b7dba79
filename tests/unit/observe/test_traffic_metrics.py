"""observe/traffic_metrics.py: what is counted of calls that are repeated, held back or copied."""

from gateway.observe.shared_memory import Region
from gateway.observe.traffic_metrics import TrafficMetrics
from tests.scrape import scraped


def test_each_is_shown_by_what_it_is_about() -> None:
    metrics = TrafficMetrics(Region.create())
    metrics.upstream_retries_refused.labels("orders").inc()
    metrics.mirrored.labels("all", "shape").inc()
    metrics.upstream_shed.labels("orders", 3).inc()
    metrics.upstream_concurrency.labels("orders", "limit").watch(lambda: 7.0)
    metrics.refresh()
    text = scraped(metrics).decode()
    assert 'gateway_upstream_retries_refused_total{upstream="orders"} 1' in text
    assert 'gateway_mirrored_total{result="shape",route="all"} 1' in text
    assert 'gateway_upstream_shed_total{priority="3",upstream="orders"} 1' in text
    assert 'gateway_upstream_concurrency{state="limit",upstream="orders"} 7' in text
