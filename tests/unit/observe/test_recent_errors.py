import os
from typing import Any

import msgspec

from gateway.observe.recent_errors import (
    ENTRIES,
    LONGEST_TEXT,
    RECORD_BYTES,
    ErrorLog,
    ErrorRecord,
    ErrorRing,
    ErrorRings,
    Lane,
    clipped,
)

LONGEST_ID = "i" * 128


def record(request_id: str = "r", **changes: Any) -> ErrorRecord:
    ordinary = ErrorRecord(
        at=1_800_000_000.5,
        request_id=request_id,
        trace_id="t" * 32,
        status=503,
        code=1004,
        method="GET",
        route="orders",
        path="/v1/orders",
        source="gateway",
        outcome="answered",
        reason="upstream_refused",
        cause="refused",
        target="127.0.0.1:1",
        key_id="acme-ci",
        organization="acme",
        total_ms=1.5,
        upstream_ms=0.5,
    )
    return msgspec.structs.replace(ordinary, **changes)


def ids(ring: ErrorRing) -> set[str]:
    return {each.request_id for each in ring.records()}


def test_what_a_child_writes_is_read_here_after_its_death() -> None:
    ring = ErrorRing()
    child = os.fork()
    if not child:
        ErrorLog(ring).write(Lane.fault, record())
        os._exit(1)
    os.waitpid(child, 0)
    assert list(ring.records()) == [record()]
    assert repr(ring) == "<ErrorRing 1 records>"


def test_the_oldest_of_a_lane_are_written_over_and_other_lanes_are_left_alone() -> None:
    ring = ErrorRing()
    log = ErrorLog(ring)
    log.write(Lane.fault, record("fault"))
    log.write(Lane.caller, record("caller"))
    for number in range(ENTRIES + 2):
        log.write(Lane.stranger, record(str(number)))
    assert ids(ring) == {"fault", "caller", *map(str, range(2, ENTRIES + 2))}


def test_a_new_writer_goes_on_after_the_last_record_of_the_one_before() -> None:
    ring = ErrorRing()
    for number in range(ENTRIES + 5):
        ErrorLog(ring).write(Lane.fault, record(str(number)))
        if number == 4:
            assert ids(ring) == set("01234")
    assert ids(ring) == {str(number) for number in range(5, ENTRIES + 5)}


def test_records_that_were_not_finished_are_passed_over() -> None:
    ring = ErrorRing()
    log = ErrorLog(ring)
    for name in ("first", "second", "third"):
        log.write(Lane.caller, record(name))
    second = next(
        at for at in range(0, len(ring.memory), RECORD_BYTES) if b"second" in ring.memory[at : at + RECORD_BYTES]
    )
    whole = ring.memory[second : second + RECORD_BYTES]
    end = whole.rstrip(b"\0")
    for size in range(len(end)):
        ring.memory[second : second + RECORD_BYTES] = whole[:size] + bytes(RECORD_BYTES - size)
        assert ids(ring) == {"first", "third"}, size
    # The head of another one before the content of this one.
    ring.memory[second : second + 16] = ring.memory[second + RECORD_BYTES : second + RECORD_BYTES + 16]
    assert ids(ring) == {"first", "third"}
    ring.memory[second : second + RECORD_BYTES] = whole
    assert ids(ring) == {"first", "second", "third"}


def test_the_largest_record_fits() -> None:
    ring = ErrorRing()
    log = ErrorLog(ring)
    texts = dict.fromkeys(("path", "cause", "target"), clipped("x" * 1000))
    largest = record(
        "r" * 36,
        **texts,
        route=LONGEST_ID,
        key_id=LONGEST_ID,
        organization=LONGEST_ID,
        method="m" * 16,
        reason="upstream_headers_too_large",
    )
    for _ in range(2):
        log.write(Lane.stranger, largest)
    assert list(ring.records()) == [largest] * 2


def test_texts_that_others_have_written_are_clipped() -> None:
    assert clipped(None) is None
    assert clipped("refused") == "refused"
    assert clipped("x" * 500) == "x" * LONGEST_TEXT
    assert clipped("Größe \udcff") == "Gr\\xf6\\xdfe \\udcff"


def test_rings_are_used_again_and_keep_what_was_in_them() -> None:
    rings = ErrorRings()
    first, second = rings.take(), rings.take()
    ErrorLog(first).write(Lane.fault, record("old", at=1.0))
    ErrorLog(second).write(Lane.fault, record("new", at=2.0))
    rings.give_back(first)
    assert rings.take() is first
    ErrorLog(first).write(Lane.fault, record("middle", at=1.5))
    assert [each.request_id for each in rings.records()] == ["new", "middle", "old"]
    assert [each.at for each in rings.records("old")] == [1.0]
    assert rings.records("none") == []
