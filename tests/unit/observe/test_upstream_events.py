"""observe/upstream_events.py: what is counted and logged of an upstream."""

import pytest
from structlog.testing import capture_logs

from gateway.kernel.faults import UPSTREAM_REFUSED
from gateway.observe.metrics import Metrics
from gateway.observe.upstream_events import UpstreamEvents
from gateway.settings import parse

CONFIG = """
version: 1
upstreams: [{id: orders, targets: [{url: "http://10.0.0.1:80/a"}, {url: "http://[::1]:81"}]}]
routes: [{id: r, match: {prefix: /}, upstream: orders}]
"""


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def events(metrics: Metrics) -> UpstreamEvents:
    return UpstreamEvents(parse(CONFIG).upstreams[0], metrics)


def test_retries_are_counted(events: UpstreamEvents, metrics: Metrics) -> None:
    events.retried()
    events.not_retried()
    assert metrics.upstream_retries.labels("orders").value == 1
    events.hedged("won")
    assert metrics.upstream_hedges.labels("orders", "won").value == 1
    events.shed(3)
    assert metrics.upstream_shed.labels("orders", 3).value == 1
    assert metrics.upstream_retries_refused.labels("orders").value == 1


def test_an_ejection_is_counted_and_logged_with_the_name_of_the_target(
    events: UpstreamEvents, metrics: Metrics
) -> None:
    with capture_logs() as lines:
        events.ejected(1, UPSTREAM_REFUSED.name, 9.96)
        events.returned(1)
    assert metrics.upstream_ejections.labels("orders", "[::1]:81", "upstream_refused").value == 1
    target = {"upstream": "orders", "target": "[::1]:81"}
    assert lines == [
        {"event": "target ejected", "log_level": "warning", "reason": "upstream_refused", "for_s": 10.0, **target},
        {"event": "target is back", "log_level": "info", **target},
    ]


def test_health_checks_are_counted_and_only_changes_are_logged(events: UpstreamEvents, metrics: Metrics) -> None:
    with capture_logs() as lines:
        events.checked(0, passed=True)
        events.checked(0, passed=False)
        events.checked(0, passed=False)
        events.changed(0, 503, up=False)
        events.changed(0, 200, up=True)
    counts = [
        metrics.upstream_health_checks.labels("orders", "10.0.0.1:80/a", result).value
        for result in ("passed", "failed")
    ]
    assert counts == [1, 2]
    target = {"upstream": "orders", "target": "10.0.0.1:80/a"}
    assert lines == [
        {"event": "target down", "log_level": "warning", "result": 503, **target},
        {"event": "target up", "log_level": "info", "result": 200, **target},
    ]


def test_the_circuit_is_counted_when_it_opens(events: UpstreamEvents, metrics: Metrics) -> None:
    with capture_logs() as lines:
        events.opened(2.34)
        events.closed()
    assert metrics.upstream_breaker_opened.labels("orders").value == 1
    assert lines == [
        {"event": "circuit opened", "log_level": "warning", "upstream": "orders", "for_s": 2.3},
        {"event": "circuit closed", "log_level": "info", "upstream": "orders"},
    ]
