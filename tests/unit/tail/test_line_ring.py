"""tail/line_ring.py: the last lines of a worker, in memory that another process reads."""

import json

from gateway.observe.access_log import AccessRecord
from gateway.tail.line_ring import ENTRIES, ENTRY_BYTES, LineRing


def put(ring: LineRing, count: int = 1) -> None:
    for _ in range(count):
        ring.put(AccessRecord(request_id="r", method="GET", status=200, path="/v1"))


def test_lines_are_read_by_their_number_until_they_are_written_over() -> None:
    ring = LineRing()
    assert (ring.count, ring.line(1), repr(ring)) == (0, None, "<LineRing 0 lines, idle>")
    put(ring, 2)
    line = ring.line(2)
    assert line is not None
    assert json.loads(line)["url.path"] == "/v1"
    assert ring.line(3) is None
    put(ring, ENTRIES)
    assert [ring.line(2), ring.count] == [None, ENTRIES + 2]
    assert ring.line(3) is not None


def test_a_line_that_is_being_written_is_none() -> None:
    ring = LineRing()
    put(ring)
    at = 16 + ENTRY_BYTES + 40
    ring.memory[at : at + 1] = bytes([ring.memory[at] ^ 1])
    assert ring.line(1) is None


def test_a_long_line_loses_its_longest_fields_and_one_that_is_still_too_long_is_missing() -> None:
    ring = LineRing()
    ring.put(
        AccessRecord(request_id="r", status=503, path="/" + "p" * 900, cause="c" * 1500, limiter_spent=("x" * 900,))
    )
    line = ring.line(1)
    assert line is not None
    about = json.loads(line)
    assert (len(about["url.path"]), len(about["gateway.cause"]), "gateway.limiter.spent" in about) == (120, 120, False)
    ring.put(AccessRecord(request_id="r" * ENTRY_BYTES))
    assert (ring.count, ring.line(2)) == (2, None)
    put(ring)
    assert ring.line(3) is not None


def test_bytes_that_are_no_unicode_are_spelled_out() -> None:
    ring = LineRing()
    ring.put(AccessRecord(request_id="r", method="\udcff"))
    line = ring.line(1)
    assert line is not None
    assert json.loads(line)["http.request.method"] == "\\udcff"


def test_both_sides_say_what_they_know() -> None:
    ring = LineRing()
    assert (ring.is_followed, ring.is_writing) == (False, False)
    ring.is_followed = True
    assert (ring.is_followed, ring.is_writing, repr(ring)) == (True, False, "<LineRing 0 lines, followed>")
    ring.is_writing = True
    assert ring.is_writing
