import gc
import os
import tempfile

import msgspec
import pytest

from gateway.observe.access_log import AccessLog, AccessRecord, printable
from gateway.observe.json_line import encoded
from gateway.observe.writer import Writer

NOON = 1_780_315_200.25
ID = "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def written(record: AccessRecord, *, console: bool = False, colour: bool = False) -> str:
    read_end, write_end = os.pipe()
    try:
        writer = Writer(write_end)
        AccessLog(writer, lambda: NOON, console=console, colour=colour).write(record, NOON)
        assert writer.close(10.0)
        return os.read(read_end, 1 << 16).decode()
    finally:
        os.close(read_end)
        os.close(write_end)


def full() -> AccessRecord:
    return AccessRecord(
        request_id=ID,
        method="POST",
        route="orders",
        status=429,
        level="info",
        source="gateway",
        outcome="answered",
        total_ms=12.345,
        upstream_ms=10.0,
        overhead_ms=2.345,
        request_bytes=10,
        response_bytes=0,
        client="192.0.2.1",
        trace_id=TRACE,
        key_id="acme-ci",
        organization="acme",
        limiter_result="refused",
        limiter_store="local",
        limiter_remaining=0,
        limiter_shadows=("hour",),
        limiter_spent=("encodings",),
        target="10.0.0.1:80",
        upstream_request_id="theirs",
        code=8000,
        reason="rate_limited",
        cause="spent",
        path="/v1/orders",
    )


def test_every_field_under_its_name() -> None:
    line = written(full())
    assert line.endswith("}\n")
    assert list(msgspec.json.decode(line).items()) == [
        ("event", "request"),
        ("timestamp", "2026-06-01T12:00:00.250Z"),
        ("level", "info"),
        ("request_id", ID),
        ("http.request.method", "POST"),
        ("http.route", "orders"),
        ("http.response.status_code", 429),
        ("gateway.source", "gateway"),
        ("gateway.outcome", "answered"),
        ("gateway.duration.total_ms", 12.345),
        ("gateway.duration.upstream_ms", 10.0),
        ("gateway.duration.overhead_ms", 2.345),
        ("http.request.body.size", 10),
        ("http.response.body.size", 0),
        ("client.address", "192.0.2.1"),
        ("trace_id", TRACE),
        ("gateway.key_id", "acme-ci"),
        ("gateway.organization", "acme"),
        ("gateway.limiter.result", "refused"),
        ("gateway.limiter.store", "local"),
        ("gateway.limiter.remaining", 0),
        ("gateway.limiter.shadows", ["hour"]),
        ("gateway.limiter.spent", ["encodings"]),
        ("server.address", "10.0.0.1:80"),
        ("upstream_request_id", "theirs"),
        ("gateway.code", 8000),
        ("gateway.reason", "rate_limited"),
        ("gateway.cause", "spent"),
        ("url.path", "/v1/orders"),
    ]


def test_what_is_not_known_is_left_out() -> None:
    record = AccessRecord(level="error", request_id=ID, method="GET", status=503)
    assert msgspec.json.decode(written(record)) == {
        "event": "request",
        "timestamp": "2026-06-01T12:00:00.250Z",
        "level": "error",
        "request_id": ID,
        "http.request.method": "GET",
        "http.response.status_code": 503,
    }


@pytest.mark.parametrize("enabled", [True, False])
def test_a_reader_gets_each_record_too_also_if_no_lines_are_written(*, enabled: bool) -> None:
    with tempfile.TemporaryFile() as file:
        writer = Writer(file.fileno())
        log = AccessLog(writer, lambda: NOON, enabled=enabled)
        followed: list[AccessRecord] = []
        log.follow(followed.append)
        assert log.enabled
        log.write(AccessRecord(request_id="a", status=503, level="error"), NOON)
        log.follow(None)
        assert log.enabled is enabled
        writer.start()
        assert writer.close(10)
        file.seek(0)
        assert len(file.readlines()) == enabled
    assert [(each.request_id, each.level, each.timestamp[:10]) for each in followed] == [("a", "error", "2026-06-01")]


def test_records_that_only_the_encoder_reads_are_enough_for_lines_of_json_and_nothing_else() -> None:
    writer = Writer(1)
    log = AccessLog(writer, lambda: NOON)
    assert log.is_json
    log.follow(lambda _: None)
    assert not log.is_json
    log.follow(None)
    assert log.is_json
    assert not AccessLog(writer, lambda: NOON, enabled=False).is_json
    assert not AccessLog(writer, lambda: NOON, console=True).is_json


def test_bytes_that_are_no_text_are_spelled_out() -> None:
    line = written(AccessRecord(request_id=ID, method="GET", status=404, path="/caf\udce9", cause="\ud83d"))
    assert msgspec.json.decode(line)["url.path"] == "/caf\\udce9"
    assert msgspec.json.decode(line)["gateway.cause"] == "\\ud83d"
    assert "/caf\\udce9" in written(
        AccessRecord(request_id=ID, method="GET", status=404, path="/caf\udce9"), console=True
    )


def test_a_line_is_one_line() -> None:
    forged = AccessRecord(request_id=ID, method="GET", status=200, path='/a\n{"event":"request"}\r\x1b[2J\u2028')
    assert written(forged).count("\n") == 1
    shown = written(forged, console=True, colour=True)
    assert shown.count("\n") == 1
    assert "\x1b[2J" not in shown
    assert "\u2028" not in shown


def test_the_form_for_people() -> None:
    assert written(full(), console=True) == (
        "12:00:00.250 429 POST /v1/orders 12.3 ms route=orders code=8000 reason=rate_limited cause=spent key=acme-ci "
        f"remaining=0 target=10.0.0.1:80 outcome=answered id={ID}\n"
    )
    assert (
        written(AccessRecord(request_id=ID, method="GET", status=200), console=True)
        == f"12:00:00.250 200 GET - id={ID}\n"
    )


@pytest.mark.parametrize(("status", "colour"), [(200, 32), (304, 36), (404, 33), (503, 31), (101, 0)])
def test_colours_show_the_status(status: int, colour: int) -> None:
    assert f"\x1b[{colour}m{status}\x1b[0m" in written(
        AccessRecord(request_id=ID, method="GET", status=status), console=True, colour=True
    )


def test_printable_leaves_text_alone() -> None:
    assert printable("Grüße 你好") == "Grüße 你好"
    assert printable("a\tb\x00") == "a\\tb\\x00"


def test_a_line_leaves_nothing_behind() -> None:
    record = msgspec.defstruct("Line", [("name", str)])("\ud800")
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(100):
        assert encoded(record) == b'{"name":"\\\\ud800"}\n'
    assert len(gc.get_objects()) - before < 50
