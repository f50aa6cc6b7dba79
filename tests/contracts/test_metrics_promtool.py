"""A scrape passes the checks of promtool.

See https://prometheus.io/docs/prometheus/latest/command-line/promtool/.
"""

import subprocess

import pytest

from gateway.observe.instruments import Counter, Gauge, Histogram
from gateway.observe.metrics import Metrics
from gateway.observe.node_metrics import NodeMetrics
from tests.scrape import scraped


@pytest.fixture
def scrape() -> bytes:
    """Every family, each with two series where it has labels."""
    metrics, node = Metrics(), NodeMetrics()
    node.config_loaded(
        file="config/gateway.yaml",
        digest="5139e9b7",
        routes=frozenset(),
        upstreams=frozenset(),
        keys=1,
        targets={},
        breakers={},
    )
    families = [*metrics.families, *node.families]
    for family in families:
        if family.declaration.kind == "info":
            continue
        for value in ("first", 'a "second" \\ one\n'):
            child = family.labels(*[value for _ in family.declaration.labels])
            match child:
                case Counter():
                    child.inc(1.5)
                case Gauge():
                    child.set(2.5)
                case Histogram():
                    child.observe(0.003)
    body = scraped(metrics, node)
    for family in families:
        assert f"# TYPE {family.declaration.name} ".encode() in body
    return body


def test_promtool_has_no_findings(scrape: bytes) -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape, capture_output=True, timeout=30, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_promtool_would_have_found_something(scrape: bytes) -> None:
    spoilt = scrape.replace(b"# HELP gateway_requests_total", b"# HELP gateway_requests_sum").replace(
        b"gateway_log_dropped_total", b"gateway_log_dropped"
    )
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=spoilt, capture_output=True, timeout=30, check=False
    )
    assert checked.returncode == 3
