"""kernel/websocket.py: where frames begin and end, however their bytes are divided."""

import pytest

from gateway.kernel.websocket import FrameTracker, close_frame

MASK = b"\x01\x02\x03\x04"


def frame(payload: bytes, opcode: int = 2, mask: bytes = b"") -> bytes:
    """A frame whose payload is not masked, because nobody looks at it."""
    bit = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, bit | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, bit | 127)) + size.to_bytes(8, "big")
    return head + mask + payload


FRAMES = [
    frame(b""),
    frame(b"\x88\x00"),
    frame(b"a" * 125, mask=MASK),
    frame(b"b" * 126),
    frame(b"c" * 300, mask=MASK),
    frame(b"d" * 70_000),
    frame(b"", mask=MASK),
]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000, 1 << 20])
def test_every_end_of_a_frame_is_found(step: int) -> None:
    tracker, data = FrameTracker(), b"".join(FRAMES)
    ends = {sum(map(len, FRAMES[:count])) for count in range(len(FRAMES) + 1)}
    at = 0
    while at < len(data):
        assert tracker.at_boundary == (at in ends)
        at += tracker.follow(data[at : at + step])
    assert tracker.at_boundary
    assert not tracker.closed


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 5, 6])
def test_only_the_bytes_up_to_the_next_end_are_followed_on_request(cut: int) -> None:
    one = frame(b"abc")
    tracker = FrameTracker()
    tracker.follow(one[:cut])
    rest = one[cut:] + frame(b"more")
    followed = tracker.follow(rest, to_boundary=True)
    assert followed == (len(one) - cut if 0 < cut < len(one) else 0)
    assert tracker.at_boundary
    assert tracker.follow(b"", to_boundary=True) == 0


def test_a_frame_that_goes_on_is_followed_to_its_last_known_byte() -> None:
    tracker = FrameTracker()
    tracker.follow(frame(b"x" * 100)[:10])
    assert tracker.follow(b"x" * 20, to_boundary=True) == 20
    assert not tracker.at_boundary


@pytest.mark.parametrize(("opcode", "closed"), [(0, False), (1, False), (8, True), (9, False), (10, False)])
def test_a_close_frame_is_noticed(opcode: int, *, closed: bool) -> None:
    tracker = FrameTracker()
    tracker.follow(frame(b"\x03\xe8", opcode, MASK))
    tracker.follow(frame(b"a"))
    assert tracker.closed == closed
    among_others = FrameTracker()
    among_others.follow(frame(b"a" * 20) + frame(b"\x03\xe8", opcode, MASK) + frame(b"a" * 20))
    assert among_others.closed == closed


def test_a_length_of_64_bits_is_only_counted_down() -> None:
    tracker = FrameTracker()
    tracker.follow(b"\x82\x7f" + b"\xff" * 8 + b"payload")
    assert not tracker.at_boundary
    assert tracker.follow(b"x" * 100, to_boundary=True) == 100


@pytest.mark.parametrize("one", FRAMES)
@pytest.mark.parametrize("most", [1, 2, 9])
def test_of_many_frames_only_so_many_are_followed(one: bytes, most: int) -> None:
    tracker = FrameTracker()
    assert tracker.follow(one * 9, most_frames=most) == len(one) * most
    assert (tracker.at_boundary, tracker.begun) == (True, most)
    assert tracker.follow(one[:1], most_frames=0) == 0


def test_a_frame_under_way_is_followed_to_its_end_whatever_comes_next() -> None:
    tracker, one = FrameTracker(), frame(b"x" * 300)
    assert tracker.follow(one[:10], most_frames=1) == 10
    assert tracker.follow(one[10:] + one * 2, most_frames=1) == len(one) * 2 - 10
    assert tracker.begun == 2


def test_frames_of_the_gateway() -> None:
    assert close_frame(1001) == b"\x88\x02\x03\xe9"
    masked = close_frame(1001, MASK)
    assert masked[:6] == b"\x88\x82" + MASK
    assert bytes(byte ^ key for byte, key in zip(masked[6:], MASK, strict=False)) == b"\x03\xe9"
