"""tail/follower.py: a reader of all workers' lines holds up nobody."""

import json

import pytest

from gateway.observe.access_log import AccessRecord
from gateway.tail.follower import MOST_FOLLOWERS, Follower, Tail, TooManyFollowersError
from gateway.tail.line_ring import ENTRIES, LineRing


def put(ring: LineRing, *ids: str) -> None:
    for each in ids:
        ring.put(AccessRecord(request_id=each))


def ids(follower: Follower) -> list[str]:
    return [json.loads(line)["request_id"] for line in follower.lines()]


def test_a_reader_gets_what_comes_after_it() -> None:
    first, second = LineRing(), LineRing()
    tail = Tail(lambda: [first, second])
    put(first, "before")
    with tail.follow() as follower:
        assert ids(follower) == []
        put(first, "a", "b")
        put(second, "c")
        assert ids(follower) == ["a", "b", "c"]
        put(first, "d")
        assert ids(follower) == ["d"]
        assert follower.lost == 0


def test_workers_know_while_somebody_follows() -> None:
    ring = LineRing()
    tail = Tail(lambda: [ring])
    with tail.follow() as one:
        assert not one.is_ready
        assert ring.is_followed
        ring.is_writing = True
        assert one.is_ready
        with tail.follow():
            assert repr(tail) == "<Tail 2 followers>"
        assert ring.is_followed
    assert not ring.is_followed


def test_a_worker_that_is_started_meanwhile_is_followed_and_one_that_ends_is_read_to_the_end() -> None:
    rings = [LineRing()]
    tail = Tail(lambda: rings)
    with tail.follow() as follower:
        put(rings[0], "last")
        rings[:] = [LineRing()]
        put(rings[0], "first")
        assert ids(follower) == ["last", "first"]
        assert rings[0].is_followed
        assert ids(follower) == []


def test_lines_that_were_not_taken_in_time_are_counted() -> None:
    ring = LineRing()
    with Tail(lambda: [ring]).follow() as follower:
        put(ring, *map(str, range(ENTRIES + 7)), "x" * 5000)
        assert ids(follower) == [str(number) for number in range(8, ENTRIES + 7)]
        assert follower.lost == 9


def test_there_are_never_more_than_so_many_readers() -> None:
    tail = Tail(list)
    readers = [tail.follow() for _ in range(MOST_FOLLOWERS)]
    for reader in readers:
        reader.__enter__()
    with pytest.raises(TooManyFollowersError), tail.follow():
        raise AssertionError
    readers[0].__exit__(None, None, None)
    with tail.follow() as follower:
        assert follower.is_ready
