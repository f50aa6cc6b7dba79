"""What a listener counts, and what it says of its certificates."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from gateway.edge.listener_events import ListenerEvents
from gateway.net.certificates import Certificate
from gateway.observe.log import Log
from gateway.observe.metrics import Metrics
from tests.scrape import scraped

DAY_S = 86400.0
NOW_S = 1_800_000_000.0


class QueryServer:
    """A ListenerEvents, what it counted and what it said."""

    def __init__(self, file: Path, fd: int) -> None:
        self.file = file
        self.metrics = Metrics()
        self.log = Log(lambda: NOW_S, format="json", fd=fd)
        self.log.install()
        self.log.start()
        self.listener_events = ListenerEvents(self.metrics, "public", lambda: NOW_S)

    def said(self) -> list[dict[str, object]]:
        self.log.close()
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def counted(self) -> list[str]:
        return [
            line for line in scraped(self.metrics).decode().splitlines() if line.startswith("gateway_tls") and not line.endswith(" 0.0")
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[QueryServer]:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    desk = QueryServer(tmp_path / "log", fd)
    yield desk
    desk.log.close()
    os.close(fd)
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = before
    root.setLevel(level)


def certificate(days: float) -> Certificate:
    return Certificate(("a.example", "b.example"), "CN=a", 0.0, NOW_S + days * DAY_S)


def test_who_is_turned_away_is_counted_and_told_of_once_in_a_while(desk: QueryServer) -> None:
    for _ in range(3):
        desk.listener_events.rejected(100)
        desk.listener_events.cannot_accept("Too many open files")
    assert 'gateway_client_connections_refused_total{listener="public"} 3.0' in scraped(desk.metrics).decode().splitlines()
    assert [(line["event"].__str__().partition(",")[0], line.get("connections"), line.get("reason")) for line in desk.said()] == [
        ("too many connections", 100, None),
        ("cannot accept connections", None, "Too many open files"),
    ]


def test_failures_are_counted_by_reason(desk: QueryServer) -> None:
    for reason in ("timeout", "closed", "timeout"):
        desk.listener_events.handshake_failed(reason)
    assert desk.counted() == [
        'gateway_tls_handshake_failures_total{listener="public",reason="timeout"} 2.0',
        'gateway_tls_handshake_failures_total{listener="public",reason="closed"} 1.0',
    ]


def test_a_missing_proxy_header_is_counted_each_time_and_told_once(desk: QueryServer) -> None:
    for reason in ("untrusted", "untrusted", "malformed"):
        desk.listener_events.proxy_refused(reason)
    assert 'gateway_proxy_protocol_refused_total{listener="public",reason="untrusted"} 2.0' in scraped(desk.metrics).decode()
    assert [line["reason"] for line in desk.said()] == ["untrusted", "malformed"]


@pytest.mark.parametrize(
    ("days", "level", "event"),
    [(90, "info", "certificate read"), (13, "warning", "certificate expires soon"), (-1, "error", "certificate has expired")],
)
def test_the_end_of_a_certificate_is_told(desk: QueryServer, days: float, level: str, event: str) -> None:
    desk.listener_events.certificate_read("/tls.crt", certificate(days))
    assert desk.counted() == [
        f'gateway_tls_certificate_expiry_timestamp_seconds{{certificate="/tls.crt",listener="public"}} {NOW_S + days * DAY_S!r}',
        'gateway_tls_certificate_reads_total{listener="public",result="read"} 1.0',
    ]
    (said,) = desk.said()
    del said["timestamp"]
    assert said == {
        "level": level,
        "event": event,
        "listener": "public",
        "certificate": "/tls.crt",
        "names": ["a.example", "b.example"],
        "days_left": days,
    }


def test_a_certificate_that_is_not_usable_is_told(desk: QueryServer) -> None:
    desk.listener_events.certificate_refused("/tls.crt", "this is not the private key of the certificate")
    assert desk.counted() == ['gateway_tls_certificate_reads_total{listener="public",result="refused"} 1.0']
    (said,) = desk.said()
    assert (said["level"], said["reason"]) == ("error", "this is not the private key of the certificate")
