"""history/activity.py: exchanges counted by route, key, organisation and target, and published within bounds."""

import math

import msgspec
import pytest

from gateway.exchange import Exchange, Reply, ReplySource
from gateway.history.activity import MOST_ROWS, Activity
from gateway.history.feed import LONGEST_BYTES, ActivityFeed, ActivityReport, NearLimit
from gateway.history.measures import CLIENT_ERRORS, LIMITED, OTHER, SERVER_ERRORS, Counts, HistoryDimension, requests
from gateway.kernel.faults import CLIENT_CLOSED, NO_ROUTE, RATE_LIMITED, GatewayError
from gateway.kernel.limits.quota import Meter, MeterState
from gateway.kernel.limits.token_bucket import Decision, WindowState
from gateway.observe.access_log import AccessLog
from gateway.observe.metrics import Metrics
from gateway.observe.writer import Writer
from gateway.stages.record import Recorder
from gateway.upstream.call import Answer
from tests.samples import MINUTE, caller, exchange, route
from tests.unit.upstream.calls import call


class Counted:
    """An Activity, and what it has published."""

    def __init__(self, most_bytes: int = LONGEST_BYTES) -> None:
        self.feed = ActivityFeed()
        self.activity = Activity(self.feed, most_bytes)

        self._recorder = Recorder(Metrics(), AccessLog(Writer(1), lambda: 0.0, enabled=False), "X-Api-Key")
        self._recorder.count_activity = self.activity.count

    def count(self, x: Exchange, status: int, source: ReplySource, total_s: float) -> None:
        """Record `x`, with a reply of this status unless it has one."""
        x.reply = x.reply or Reply(status, [], b"", source=source)
        self.record(x, total_s)

    def record(self, x: Exchange, total_s: float) -> None:
        self._recorder.begin()
        self._recorder.record(x, x.started + total_s)

    def published(self) -> ActivityReport:
        self.activity.publish(math.inf)
        ((_, content),) = self.feed.after(0)
        return msgspec.msgpack.decode(content, type=ActivityReport)

    def rows(self, dimension: HistoryDimension) -> dict[tuple[str, ...], Counts]:
        return self.published().tables[dimension]


@pytest.fixture
def counted() -> Counted:
    return Counted()


def decided(remaining: int, retry_us: int = 0) -> Decision:
    return Decision(not retry_us, "local", (WindowState(MINUTE, remaining, 1_000_000, retry_us),))


def answered(**changes: object) -> Exchange:
    """An exchange that a target has answered."""
    x = exchange(route=route(), caller=caller(), call=call(), upstream_s=0.004, decision=decided(299))
    x.answer = Answer(200, [], b"", None, 0, "10.0.0.1:80")
    for name, value in changes.items():
        setattr(x, name, value)
    return x


def test_an_exchange_counts_for_its_route_key_organisation_and_target(counted: Counted) -> None:
    counted.count(answered(), 200, "upstream", 0.010)
    counted.count(answered(), 200, "upstream", 0.010)
    published = counted.published()
    names = {dimension: [*table] for dimension, table in published.tables.items()}
    assert names == {
        "route": [("orders",)],
        "key": [("acme-ci",)],
        "organization": [("acme",)],
        "target": [("orders", "10.0.0.1:80")],
        "error": [],
        "refusal": [],
    }
    assert all(requests(counts) == 2 for table in published.tables.values() for counts in table.values())
    assert published.near_limits == []


def test_an_error_counts_by_status_code_source_and_fault(counted: Counted) -> None:
    x = exchange(error=GatewayError(NO_ROUTE))
    x.reply = Reply(404, [], b"", code=1005)
    counted.count(x, 404, "gateway", 0.001)
    tables = counted.published().tables
    assert [*tables["error"]] == [("404", "1005", "gateway", "no_route")]
    assert tables["route"]["-",][CLIENT_ERRORS] == 1
    assert tables["key"] == tables["target"] == {}


def test_a_client_that_left_before_the_reply_is_an_error_without_a_code(counted: Counted) -> None:
    counted.record(exchange(outcome="abandoned", error=GatewayError(CLIENT_CLOSED)), 0.001)
    assert [*counted.rows("error")] == [("499", "", "gateway", "client_closed")]


def test_a_call_that_no_target_answers_counts_for_the_upstream(counted: Counted) -> None:
    counted.count(answered(answer=None), 503, "gateway", 0.010)
    tables = counted.published().tables
    assert tables["target"]["orders", ""][SERVER_ERRORS] == 1
    assert [*tables["error"]] == [("503", "0", "gateway", "")]


def test_a_call_without_an_answer_is_not_taken_for_a_refusal(counted: Counted) -> None:
    of, by = route(), caller()
    counted.count(answered(answer=None, route=of, caller=by, call=None), 429, "gateway", 0.001)
    counted.count(answered(answer=None, route=of, caller=by), 503, "gateway", 0.010)
    tables = counted.published().tables
    assert requests(tables["target"]["orders", ""]) == 1
    assert requests(tables["key"]["acme-ci",]) == 2


def test_what_refuses_a_key_is_counted_by_limit(counted: Counted) -> None:
    meter = Meter("encodings", "count", 5, "key", RATE_LIMITED)
    refused = decided(0, retry_us=3_000_000)
    refused.spent = (MeterState(meter, 5, None),)
    x = answered(decision=refused, call=None, answer=None, error=GatewayError(RATE_LIMITED))
    counted.count(x, 429, "gateway", 0.001)
    counted.count(x, 429, "gateway", 0.001)
    published = counted.published()
    assert {name: requests(counts) for name, counts in published.tables["refusal"].items()} == {
        ("acme-ci", "minute"): 2,
        ("acme-ci", "encodings"): 2,
    }
    assert published.tables["key"]["acme-ci",][LIMITED] == 2
    assert published.near_limits == [NearLimit("acme-ci", "acme", "minute", "key", 0, 300)]


def test_a_key_that_one_limit_refuses_is_counted_by_that(counted: Counted) -> None:
    refused = decided(0, retry_us=3_000_000)
    counted.count(answered(decision=refused, call=None, answer=None), 429, "gateway", 0.001)
    refusals = counted.rows("refusal")
    assert {name: requests(counts) for name, counts in refusals.items()} == {("acme-ci", refused.refused_by[0]): 1}


def test_a_429_of_the_service_is_no_refusal(counted: Counted) -> None:
    counted.count(answered(), 429, "upstream", 0.001)
    tables = counted.published().tables
    assert tables["refusal"] == {}
    assert tables["key"]["acme-ci",][LIMITED] == 0


def test_the_last_decision_about_a_key_says_what_is_left(counted: Counted) -> None:
    counted.count(answered(decision=decided(200)), 200, "upstream", 0.001)
    counted.count(answered(decision=decided(75)), 200, "upstream", 0.001)
    counted.count(answered(decision=decided(1), peeked=True), 200, "upstream", 0.001)
    assert counted.published().near_limits == [NearLimit("acme-ci", "acme", "minute", "key", 75, 300)]


def test_what_many_keys_have_in_common_is_added_up(counted: Counted) -> None:
    for number in range(6):
        each = caller(id=f"key-{number}", organization="acme" if number < 4 else "umbrella")
        x = answered(caller=each, route=route(id="orders" if number % 2 else "invoices"))
        counted.count(x, 200, "upstream", 0.001)
    tables = counted.published().tables
    assert {name: requests(counts) for name, counts in tables["key"].items()} == {(f"key-{i}",): 1 for i in range(6)}
    assert {name: requests(counts) for name, counts in tables["route"].items()} == {("orders",): 3, ("invoices",): 3}
    assert {name: requests(counts) for name, counts in tables["organization"].items()} == {
        ("acme",): 4,
        ("umbrella",): 2,
    }
    assert {name: requests(counts) for name, counts in tables["target"].items()} == {("orders", "10.0.0.1:80"): 6}


def test_names_beyond_the_bound_are_counted_together(counted: Counted) -> None:
    for number in range(MOST_ROWS + 5):
        each = caller(id=f"key-{number}", organization=None)
        x = answered(caller=each, answer=Answer(200, [], b"", None, 0, f"10.0.0.1:{number}"), decision=decided(0))
        counted.count(x, 200, "upstream", 0.001)
    published = counted.published()
    keys, targets = published.tables["key"], published.tables["target"]
    assert sum(map(requests, keys.values())) == sum(map(requests, targets.values())) == MOST_ROWS + 5
    assert requests(keys[OTHER,]) == requests(targets[OTHER, OTHER]) == MOST_ROWS + 5 - (len(keys) - 1)
    assert len(published.near_limits) == 50


def test_the_keys_that_are_named_are_the_heaviest_and_an_error_weighs_more_than_a_call(counted: Counted) -> None:
    for number in range(150):
        by = caller(id=f"key-{number}")
        counted.count(answered(caller=by), 200, "upstream", 0.001)
        if number == 120:
            counted.count(answered(caller=by), 503, "upstream", 0.001)
        for _ in range(15 if number == 140 else 0):
            counted.count(answered(caller=by), 200, "upstream", 0.001)
    keys = counted.rows("key")
    assert requests(keys["key-140",]) == 16
    assert (requests(keys["key-120",]), keys["key-120",][SERVER_ERRORS]) == (2, 1)
    assert sum(map(requests, keys.values())) == 166


def test_what_is_too_long_is_published_with_fewer_rows() -> None:
    counted = Counted(2000)
    for number in range(30):
        counted.count(answered(caller=caller(id=f"key-{number}")), 200, "upstream", 0.001)
    assert len(counted.rows("key")) == 6


def test_what_is_too_long_by_any_means_is_dropped() -> None:
    counted = Counted(10)
    counted.count(answered(), 200, "upstream", 0.001)
    counted.activity.publish(math.inf)
    assert counted.feed.after(0) == []


def test_it_publishes_once_a_second_and_nothing_when_there_was_nothing(counted: Counted) -> None:
    counted.activity.publish(5.0)
    assert counted.feed.after(0) == []
    counted.count(answered(), 200, "upstream", 0.001)
    counted.activity.publish(5.5)
    assert counted.feed.after(0) == []
    counted.activity.publish(6.0)
    assert [number for number, _ in counted.feed.after(0)] == [1]
    counted.activity.publish(7.0)
    assert [number for number, _ in counted.feed.after(0)] == [1]


def test_errors_beyond_the_bound_are_counted_together(counted: Counted) -> None:
    for code in range(MOST_ROWS + 3):
        counted.count(exchange(reply=Reply(404, [], b"", code=code)), 404, "gateway", 0.001)
    errors = counted.rows("error")
    assert sum(map(requests, errors.values())) == MOST_ROWS + 3
    assert ("other", "other", "other", "other") in errors


def test_an_older_decision_of_another_route_says_nothing(counted: Counted) -> None:
    for route_id, decided_at, left in (("newer", 2.0, 10), ("older", 1.0, 20)):
        x = answered(route=route(id=route_id), decision=decided(left), decided=decided_at)
        counted.count(x, 200, "upstream", 0.001)
    assert [each.remaining for each in counted.published().near_limits] == [10]
