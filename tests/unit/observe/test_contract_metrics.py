"""The series about what requests are like."""

from gateway.observe.contract_metrics import ContractMetrics
from gateway.observe.shared_memory import Region
from tests.scrape import scraped


def test_requests_at_fault() -> None:
    metrics = ContractMetrics(Region.create())
    metrics.requests_at_fault.labels("pets", "shadow").inc()
    assert b'gateway_requests_at_fault_total{mode="shadow",route="pets"} 1.0' in scraped(metrics)


def test_replies_and_their_differences() -> None:
    metrics = ContractMetrics(Region.create())
    metrics.replies_checked.labels("pets", "drift").inc()
    metrics.reply_drift.labels("pets", "type").inc()
    assert b'gateway_replies_checked_total{result="drift",route="pets"} 1.0' in scraped(metrics)
    assert b'gateway_reply_drift_total{kind="type",route="pets"} 1.0' in scraped(metrics)
