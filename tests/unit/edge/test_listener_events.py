"""What a listener counts, and what it logs about its certificates."""

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


class LoggedEvents:
    """A ListenerEvents with its metrics and its log lines."""

    def __init__(self, file: Path, fd: int) -> None:
        self.file = file
        self.metrics = Metrics()
        self.log = Log(lambda: NOW_S, format="json", fd=fd)
        self.log.install()
        self.log.start()
        self.listener_events = ListenerEvents(self.metrics, "public", lambda: NOW_S)

    def logged(self) -> list[dict[str, object]]:
        self.log.close()
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def counted(self) -> list[str]:
        return [
            line
            for line in scraped(self.metrics).decode().splitlines()
            if line.startswith("gateway_tls") and not line.endswith(" 0.0")
        ]


@pytest.fixture
def events(tmp_path: Path) -> Iterator[LoggedEvents]:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    events = LoggedEvents(tmp_path / "log", fd)
    yield events
    events.log.close()
    os.close(fd)
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = before
    root.setLevel(level)


def certificate(days: float) -> Certificate:
    return Certificate(("a.example", "b.example"), "CN=a", 0.0, NOW_S + days * DAY_S)


def test_rejected_connections_are_counted_and_logged_once_in_a_while(events: LoggedEvents) -> None:
    for _ in range(3):
        events.listener_events.rejected(100)
        events.listener_events.cannot_accept("Too many open files")
    assert (
        'gateway_client_connections_refused_total{listener="public"} 3.0'
        in scraped(events.metrics).decode().splitlines()
    )
    assert [
        (line["event"].__str__().partition(",")[0], line.get("connections"), line.get("reason"))
        for line in events.logged()
    ] == [
        ("too many connections", 100, None),
        ("cannot accept connections", None, "Too many open files"),
    ]


def test_failures_are_counted_by_reason(events: LoggedEvents) -> None:
    for reason in ("timeout", "closed", "timeout"):
        events.listener_events.handshake_failed(reason)
    assert events.counted() == [
        'gateway_tls_handshake_failures_total{listener="public",reason="timeout"} 2.0',
        'gateway_tls_handshake_failures_total{listener="public",reason="closed"} 1.0',
    ]


def test_a_missing_proxy_header_is_counted_each_time_and_logged_one_time(events: LoggedEvents) -> None:
    for reason in ("untrusted", "untrusted", "malformed"):
        events.listener_events.proxy_rejected(reason)
    assert (
        'gateway_proxy_protocol_refused_total{listener="public",reason="untrusted"} 2.0'
        in scraped(events.metrics).decode()
    )
    assert [line["reason"] for line in events.logged()] == ["untrusted", "malformed"]


@pytest.mark.parametrize(
    ("days", "level", "event"),
    [
        (90, "info", "certificate read"),
        (13, "warning", "certificate expires soon"),
        (-1, "error", "certificate has expired"),
    ],
)
def test_the_expiry_of_a_certificate_is_logged(events: LoggedEvents, days: float, level: str, event: str) -> None:
    events.listener_events.certificate_read("/tls.crt", certificate(days))
    assert events.counted() == [
        f'gateway_tls_certificate_expiry_timestamp_seconds{{certificate="/tls.crt",listener="public"}} {NOW_S + days * DAY_S!r}',
        'gateway_tls_certificate_reads_total{listener="public",result="read"} 1.0',
    ]
    (logged,) = events.logged()
    del logged["timestamp"]
    assert logged == {
        "level": level,
        "event": event,
        "listener": "public",
        "certificate": "/tls.crt",
        "names": ["a.example", "b.example"],
        "days_left": days,
    }


def test_an_unusable_certificate_is_logged(events: LoggedEvents) -> None:
    events.listener_events.certificate_rejected("/tls.crt", "this is not the private key of the certificate")
    assert events.counted() == ['gateway_tls_certificate_reads_total{listener="public",result="refused"} 1.0']
    (logged,) = events.logged()
    assert (logged["level"], logged["reason"]) == ("error", "this is not the private key of the certificate")
