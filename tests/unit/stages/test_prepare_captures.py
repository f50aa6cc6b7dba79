"""stages/prepare.py: what is kept of bodies for whoever captures failures."""

import pytest

from gateway.edge.request_body import WholeBody
from gateway.stages.prepare import READ_AHEAD_BYTES, ReadAhead, read_body
from gateway.upstream.call import TimedBody
from tests.samples import Pieces, exchange


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (WholeBody(b"0123456789", 100), b"01234567"),
        (Pieces(b"01", b"23", length=4), b"0123"),
        (Pieces(b"x" * READ_AHEAD_BYTES, b"y", b"z", length=READ_AHEAD_BYTES + 2), b"x" * 8),
    ],
)
async def test_the_start_of_a_body_that_is_in_memory_is_kept(body: TimedBody, start: bytes | None) -> None:
    x, read_ahead = exchange(), ReadAhead()
    read_ahead.kept_bytes = 8
    await read_body(x, body, read_ahead)
    assert x.body_start == start


async def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    x = exchange()
    await read_body(x, WholeBody(b"0123456789", 100), ReadAhead())
    assert x.body_start is None
