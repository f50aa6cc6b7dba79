"""history/feed.py: what one process writes, another one reads, whole or not at all."""

from gateway.history.feed import PLACE_BYTES, PLACES, ActivityFeed


def test_entries_are_read_once_in_order() -> None:
    feed = ActivityFeed()
    assert feed.after(0) == []
    for number in range(1, 4):
        feed.write(b"%d" % number)
    assert feed.after(0) == [(1, b"1"), (2, b"2"), (3, b"3")]
    assert feed.after(2) == [(3, b"3")]
    assert repr(feed) == "<ActivityFeed 3 written>"


def test_a_reader_that_is_late_gets_the_last_ones() -> None:
    feed = ActivityFeed()
    for number in range(1, PLACES + 3):
        feed.write(b"%d" % number)
    assert [number for number, _ in feed.after(0)] == list(range(3, PLACES + 3))


def test_an_entry_that_was_not_finished_is_passed_over() -> None:
    feed = ActivityFeed()
    feed.write(b"first")
    feed.write(b"second")
    feed._memory[2 * PLACE_BYTES + 16] = ord("X")
    assert feed.after(0) == [(1, b"first")]
