"""history/report.py: the history as JSON."""

import msgspec

from gateway.history.feed import ActivityFeed, ActivityReport, NearLimit
from gateway.history.history import History
from gateway.history.measures import CountTables
from gateway.history.report import report
from tests.unit.history.counted import calls


def made(tables: CountTables, *near: NearLimit) -> History:
    history, feed = History(1000.0), ActivityFeed()
    feed.write(msgspec.msgpack.encode(ActivityReport(tables, list(near))))
    history.collect([feed], 1001.0)
    return history


def test_rows_of_each_kind_are_named_by_their_parts() -> None:
    tables: CountTables = {
        "route": {("orders",): calls(2, 1), ("pets",): calls(3)},
        "key": {("acme-ci",): calls(5)},
        "organization": {("acme",): calls(5)},
        "target": {("orders", "10.0.0.1:80"): calls(5)},
        "error": {("503", "1004", "gateway", "upstream_timeout"): calls(1)},
        "refusal": {("acme-ci", "minute"): calls(4)},
    }
    history = made(tables, NearLimit("acme-ci", "acme", "minute", "key", 3, 300))
    shown = report(history, "10m", 25, 1002.0, str)
    assert [(row["route"], row["requests"], row["server_errors"]) for row in shown["routes"]] == [
        ("orders", 2, 1),
        ("pets", 3, 0),
    ]
    assert shown["routes"][0]["minutes"][-1] == 2
    assert 5 < shown["total"]["p50_ms"] < 20
    assert (shown["total"]["requests"], shown["total"]["gateway_p50_ms"]) == (5, None)
    assert (shown["targets"][0]["upstream"], shown["targets"][0]["target"]) == ("orders", "10.0.0.1:80")
    error = {"status": "503", "code": "1004", "source": "gateway", "reason": "upstream_timeout", "requests": 1}
    assert shown["errors"] == [error]
    assert shown["refusals"] == [{"key": "acme-ci", "limit": "minute", "requests": 4}]
    near = {"key": "acme-ci", "organization": "acme", "limit": "minute", "owner": "key", "remaining": 3, "max": 300}
    assert shown["near_limits"] == [near | {"at": "1001.0"}]
    assert [shown[name] for name in ("at", "began", "span")] == ["1002.0", "1000.0", "10m"]


def test_only_so_many_rows_are_shown_the_heaviest_first() -> None:
    shown = report(made({"route": {("a",): calls(1), ("b",): calls(9), ("c",): calls(1, 1)}}), "1m", 2, 1002.0, str)
    assert [row["route"] for row in shown["routes"]] == ["c", "b"]


def test_the_slots_are_lists() -> None:
    history = made({"route": {("orders",): calls(2)}})
    assert report(history, "1m", 25, 1001.0, str)["ten_seconds"]["first_at"] is None
    history.collect([], 1010.0)
    shown = report(history, "1m", 25, 1010.0, str)
    assert (shown["seconds"]["first_at"], shown["seconds"]["requests"][:2]) == (1000, [2, 0])
    assert (shown["ten_seconds"]["first_at"], shown["ten_seconds"]["requests"]) == (1000, [2])
    assert shown["ten_seconds"]["step_s"] == 10
