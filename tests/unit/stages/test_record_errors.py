"""stages/record.py: what is kept of replies with an error, and in which lane."""

from typing import Any

import pytest

from gateway.exchange import Reply
from gateway.kernel.faults import (
    UPSTREAM_REFUSED,
    GatewayError,
)
from gateway.observe.access_log import AccessLog
from gateway.observe.recent_errors import Lane
from gateway.observe.writer import Writer
from gateway.stages.record import Recorder
from tests.samples import exchange, route
from tests.unit.stages.recording import Recording, served


@pytest.fixture
def recording() -> Recording:
    return Recording()


def test_an_error_is_kept_with_what_is_known_about_it() -> None:
    recording = Recording(access=False)
    x = served(error=GatewayError(UPSTREAM_REFUSED, cause="errno 111"))
    x.reply = Reply(503, [], b"", code=1004)
    recording.record(x)
    (kept,) = recording.errors.records()
    assert (kept.at, kept.request_id, kept.trace_id, kept.status, kept.code, kept.method) == (
        *(1_800_000_000.0, x.request_id, x.trace_id),
        *(503, 1004, "GET"),
    )
    assert (kept.route, kept.path, kept.source, kept.outcome) == ("orders", "/v1/orders", "gateway", "answered")
    assert (kept.reason, kept.cause, kept.target) == ("upstream_refused", "errno 111", "127.0.0.1:3000")
    assert (kept.key_id, kept.organization, kept.total_ms, kept.upstream_ms) == ("acme-ci", "acme", 10.0, 4.0)


@pytest.mark.parametrize(
    ("changes", "status", "lane"),
    [
        ({}, 200, None),
        ({}, 503, Lane.fault),
        ({"outcome": "cut"}, 200, Lane.fault),
        ({}, 404, Lane.caller),
        ({}, 429, Lane.stranger),
        ({"outcome": "abandoned"}, 200, Lane.stranger),
        ({"caller": None}, 401, Lane.stranger),
        ({"route": None}, 404, Lane.caller),
        ({"route": route(open=True)}, 404, Lane.stranger),
    ],
)
def test_what_can_be_brought_about_in_any_number_is_kept_apart(
    recording: Recording, changes: dict[str, Any], status: int, lane: Lane | None
) -> None:
    x = served()
    x.reply = Reply(status, [], b"")
    for name, value in changes.items():
        setattr(x, name, value)
    recording.record(x)
    assert [each for each in Lane if list(recording.errors.entries(each))] == ([] if lane is None else [lane])


def test_errors_are_kept_only_where_there_is_a_place_for_them(recording: Recording) -> None:
    x = exchange(reply=Reply(404, [], b""))
    recording.recorder.begin()
    Recorder(recording.metrics, AccessLog(Writer(1), lambda: 0.0, enabled=False), "X-Api-Key").record(x, 0.0)
    assert list(recording.errors.records()) == []


def test_what_has_failed_is_captured_and_nothing_else(recording: Recording) -> None:
    captured: list[tuple[int, str | None]] = []
    recording.recorder.capture = lambda x, status, show_path: captured.append((status, show_path(x)))
    for status in (200, 404):
        recording.recorder.begin()
        recording.recorder.record(exchange(reply=Reply(status, [], b"")), 0.0)
    assert captured == [(404, "/v1/orders")]
