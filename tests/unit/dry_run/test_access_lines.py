"""dry_run/access_lines.py: what a line of the log says about a call."""

import json
from typing import Any

import pytest

from gateway.dry_run.access_lines import CallOutcome, LogLines


def line(**fields: Any) -> bytes:
    ordinary = {
        "event": "request",
        "timestamp": "2026-11-28T10:00:01.500Z",
        "level": "info",
        "request_id": "id",
        "http.request.method": "GET",
        "http.route": "pets",
        "http.response.status_code": 200,
        "gateway.source": "upstream",
        "gateway.duration.total_ms": 500.0,
        "client.address": "192.0.2.7",
        "gateway.key_id": "acme-ci",
        "gateway.organization": "acme",
        "gateway.limiter.result": "allowed",
        "gateway.limiter.store": "local",
        "url.path": "/v1/pets",
    }
    return json.dumps({**ordinary, **fields}).encode()


REFUSED = {"gateway.limiter.result": None, "gateway.source": "gateway", "gateway.limiter.store": None}


def test_a_call_that_was_let_through() -> None:
    (call,) = LogLines().read([line()])
    assert (call.ended_s - call.started_s, call.started_s % 60) == (0.5, 1.0)
    assert (call.method, call.path, call.client, call.key_id, call.organization) == (
        "GET",
        "/v1/pets",
        "192.0.2.7",
        "acme-ci",
        "acme",
    )
    assert (call.verdict, call.anonymous, call.limits_known, call.succeeded) == (
        CallOutcome("pets", None),
        False,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"http.response.status_code": 502, "gateway.reason": "upstream_refused"}, CallOutcome("pets", None)),
        ({"http.response.status_code": 413, "gateway.reason": "body_too_large"}, CallOutcome("pets", None)),
        (
            {
                "gateway.limiter.result": "refused",
                "http.response.status_code": 429,
                "gateway.reason": "quota_spent",
                "gateway.limiter.spent": ["starts"],
            },
            CallOutcome("pets", 429, "quota_spent", ("starts",)),
        ),
        (
            {**REFUSED, "http.response.status_code": 404, "gateway.reason": "no_route", "http.route": None},
            CallOutcome(None, 404, "no_route"),
        ),
    ],
)
def test_what_became_of_it(fields: dict[str, Any], verdict: CallOutcome) -> None:
    (call,) = LogLines().read([line(**fields)])
    assert call.verdict == verdict


@pytest.mark.parametrize(
    "fields",
    [
        {"url.path": None},
        {**REFUSED, "http.response.status_code": 308},
        {**REFUSED, "http.response.status_code": 499, "gateway.reason": "client_closed"},
        {**REFUSED, "http.response.status_code": 503, "gateway.reason": "keys_unavailable"},
    ],
)
def test_what_cannot_be_repeated_is_counted(fields: dict[str, Any]) -> None:
    lines = LogLines()
    assert list(lines.read([line(**fields)])) == []
    assert (lines.unplayable, lines.other_lines) == (1, 0)


def test_other_lines_are_counted() -> None:
    lines = LogLines()
    other = [b'{"event": "reloaded"}', b"", b"text", line(timestamp="yesterday"), b"[" * 5000]
    assert list(lines.read(other)) == []
    assert (lines.unplayable, lines.other_lines) == (0, 4)


def test_who_called_and_who_decided() -> None:
    calls = LogLines().read(
        [
            line(**{"gateway.key_id": "anonymous"}),
            line(**{"gateway.key_id": None}),
            line(**{"gateway.limiter.store": "fallback", "http.response.status_code": 500}),
        ]
    )
    assert [(call.key_id, call.anonymous, call.limits_known, call.succeeded) for call in calls] == [
        ("", False, True, True),
        ("", True, True, True),
        ("acme-ci", False, False, False),
    ]
