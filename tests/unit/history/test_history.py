"""history/history.py: what workers publish is collected once, also from those that have ended."""

import msgspec

from gateway.history.feed import ActivityFeed, ActivityReport, NearLimit
from gateway.history.history import History
from gateway.history.measures import requests
from tests.unit.history.counted import tables


def publish(feed: ActivityFeed, number: int, *near: NearLimit) -> None:
    feed.write(msgspec.msgpack.encode(ActivityReport(tables(number), list(near))))


def of_last_hour(history: History) -> int:
    return requests(history.timeline.rows("1h", "route")["orders",])


def test_what_all_workers_have_published_is_added_once() -> None:
    history, one, other = History(1000.0), ActivityFeed(), ActivityFeed()
    publish(one, 1)
    publish(other, 2)
    assert history.collect([one, other], 1001.0)
    publish(one, 4)
    assert not history.collect([one, other], 1001.5)
    assert history.collect([one, other], 1002.0)
    assert of_last_hour(history) == 7
    assert repr(history) == "<History of 2 workers>"


def test_a_worker_that_has_ended_is_read_for_the_last_time() -> None:
    history, feed = History(1000.0), ActivityFeed()
    publish(feed, 1)
    history.collect([feed], 1001.0)
    publish(feed, 2)
    history.collect([], 1002.0)
    publish(feed, 4)
    history.collect([], 1003.0)
    assert of_last_hour(history) == 3


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    history = History(1000.0)
    assert history.collect([], 400.0)


def test_keys_near_a_limit_are_kept_for_a_minute_with_what_was_left_last() -> None:
    history, feed = History(1000.0), ActivityFeed()
    tight, loose = (NearLimit(key, "acme", "minute", "key", left, 100) for key, left in (("tight", 1), ("loose", 20)))
    publish(feed, 1, loose, tight)
    history.collect([feed], 1001.0)
    assert history.near_limits(1050.0) == [(1001.0, tight), (1001.0, loose)]
    publish(feed, 1, NearLimit("tight", "acme", "minute", "key", 25, 100))
    history.collect([feed], 1051.0)
    assert [(at, each.key, each.remaining) for at, each in history.near_limits(1055.0)] == [
        (1001.0, "loose", 20),
        (1051.0, "tight", 25),
    ]
    assert [each.key for _, each in history.near_limits(1090.0)] == ["tight"]


def test_so_many_keys_near_a_limit_are_remembered() -> None:
    history, feed = History(1000.0), ActivityFeed()
    for second in range(3):
        keys = [NearLimit(f"key-{second}-{number}", None, "minute", "key", 0, 1) for number in range(50)]
        publish(feed, 1, *keys)
        history.collect([feed], 1001.0 + second)
    assert {each.key.split("-")[1] for _, each in history.near_limits(1004.0)} == {"1", "2"}
