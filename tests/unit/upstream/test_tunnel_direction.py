"""upstream/tunnel_direction.py: what is written of frames, what waits for a turn, and where the last frame stands."""

from gateway.upstream.tunnel_direction import FRAMES_AT_ONCE, Direction

SMALL, LAST = b"\x8a\x00", b"\x88\x00"
MANY = SMALL * (FRAMES_AT_ONCE + 1)


class Written:
    """A Direction, and what it has written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.direction = Direction(self.pieces.append, LAST)

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


def test_a_sender_of_many_frames_waits_once() -> None:
    written = Written()
    assert not written.direction.pass_on(b"\x82\x05hello")
    assert written.direction.pass_on(MANY)
    assert written.direction.held == SMALL
    assert not written.direction.pass_on(MANY)
    assert written.data == b"\x82\x05hello" + MANY[:-2]
    assert written.direction.go_on()
    assert not written.direction.go_on()
    assert written.data == b"\x82\x05hello" + MANY * 2
    assert written.direction.passed_bytes == len(written.data)


def test_what_waits_is_written_at_the_end() -> None:
    written = Written()
    written.direction.pass_on(MANY)
    written.direction.end()
    written.direction.end()
    written.direction.pass_on(SMALL)
    assert written.data == MANY


def test_nothing_is_written_behind_the_last_frame() -> None:
    written = Written()
    written.direction.pass_on(MANY)
    written.direction.close()
    assert not written.direction.go_on()
    written.direction.pass_on(MANY)
    written.direction.end()
    assert written.data == MANY[:-2] + LAST


def test_the_last_frame_waits_for_the_end_of_the_one_under_way() -> None:
    written = Written()
    written.direction.pass_on(b"\x82\x05he")
    written.direction.close()
    written.direction.close()
    written.direction.pass_on(b"l")
    written.direction.pass_on(b"lo" + MANY)
    assert written.data == b"\x82\x05hello" + LAST
