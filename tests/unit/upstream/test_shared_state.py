"""upstream/shared_state.py: the state of targets that processes share."""

import os

from gateway.kernel.faults import UPSTREAM_RESET
from gateway.kernel.health import Findings, Verdict
from gateway.upstream.shared_state import SharedState


def test_rows_are_shared_between_processes() -> None:
    shared_state = SharedState({"orders": ["http://a", "http://b"], "users": ["http://a"]})
    pid = os.fork()
    if not pid:
        row = shared_state.upstreams["orders"].targets[1]
        row.ejected_until, row.reason = 12.5, UPSTREAM_RESET.name
        shared_state.upstreams["orders"].version = 3.25
        os._exit(0)
    os.waitpid(pid, 0)
    orders, users = shared_state.upstreams["orders"], shared_state.upstreams["users"]
    assert (orders.version, orders.targets[1].ejected_until, orders.targets[1].reason) == (
        3.25,
        12.5,
        UPSTREAM_RESET.name,
    )
    assert (users.version, orders.targets[0].ejected_until, users.targets[0].ejected_until) == (0, 0, 0)
    assert [row.up(12.0) for row in orders.targets] == [True, False]
    assert orders.targets[1].up(12.5)


def test_a_new_shared_state_adopts_the_rows_of_targets_that_stay() -> None:
    before = SharedState({"orders": ["http://a", "http://b"], "gone": ["http://a"]})
    before.upstreams["orders"].opens = 2
    for number, row in enumerate(before.upstreams["orders"].targets):
        row.ejected_until = 10.0 + number
    after = SharedState({"orders": ["http://c", "http://b"], "new": ["http://a"]})
    after.adopt(before, 7.0)
    orders = after.upstreams["orders"]
    assert orders.opens == 2
    assert [row.ejected_until for row in orders.targets] == [0, 11.0]
    assert [row.back_at for row in orders.targets] == [7.0, 0.0], "one that is added starts slowly"
    assert after.upstreams["new"].targets[0].ejected_until == 0
    before.upstreams["orders"].targets[1].ejected_until = 99.0
    assert orders.targets[1].ejected_until == 11.0


def test_there_may_be_no_upstream() -> None:
    assert SharedState({}).upstreams == {}


def test_findings_are_adopted_while_there_are_health_checks() -> None:
    before = SharedState({"orders": ["http://a"]}, ["orders"])
    row = before.upstreams["orders"].targets[0]
    row.findings, row.checked_at, row.result = Findings(Verdict.DOWN, 1), 1_800_000_000.0, "upstream_refused"
    assert row.findings == Findings(Verdict.DOWN, 1)
    for checked, down in ((["orders"], True), ([], False)):
        after = SharedState({"orders": ["http://a"]}, checked)
        after.adopt(before, 7.0)
        adopted = after.upstreams["orders"].targets[0]
        assert (adopted.down, adopted.up(0.0), adopted.result) == (down, not down, "upstream_refused")
        assert (adopted.checked_at > 0) is down
    row.result = 204
    assert row.result == 204


def test_a_trial_of_the_last_configuration_does_not_block_the_next_one() -> None:
    before, after = SharedState({"orders": ["http://a"]}), SharedState({"orders": ["http://a"]})
    row = before.upstreams["orders"]
    row.opens, row.open_until, row.trial_until = 2, 10.0, 41.0
    after.adopt(before, 7.0)
    row = after.upstreams["orders"]
    assert (row.opens, row.open_until, row.trial_until) == (2, 10.0, 0.0)


def test_nor_does_the_trial_of_a_single_target() -> None:
    before, after = (SharedState({"orders": ["http://a", "http://b"]}) for _ in range(2))
    target = before.upstreams["orders"].targets[1]
    target.ejections, target.trial_until = 2, 41.0
    after.adopt(before, 7.0)
    target = after.upstreams["orders"].targets[1]
    assert (target.ejections, target.trial_until) == (2, 0.0)


def test_a_process_that_exits_during_its_trial_blocks_nobody() -> None:
    shared_state = SharedState({"orders": ["http://a"]})
    row = shared_state.upstreams["orders"]
    row.opens, row.trial_until, row.targets[0].ejections, row.targets[0].trial_until = 2, 41.0, 1, 41.0
    version = row.version
    shared_state.writer_exited()
    assert (row.opens, row.trial_until, row.targets[0].ejections, row.targets[0].trial_until) == (2, 0.0, 1, 0.0)
    assert row.version != version


def test_one_target_alone_is_not_ejected_any_more() -> None:
    before, after = SharedState({"orders": ["http://a", "http://b"]}), SharedState({"orders": ["http://a"]})
    row = before.upstreams["orders"].targets[0]
    row.ejected_until, row.ejections = 99.0, 3
    after.adopt(before, 7.0)
    assert after.upstreams["orders"].targets[0].up(0.0)


def test_a_target_is_ejected_until_its_time_and_says_why() -> None:
    target = SharedState({"orders": ["http://a"]}).upstreams["orders"].targets[0]
    target.ejected_until, target.reason = 12.5, UPSTREAM_RESET.name
    assert (target.ejected(12.4), target.ejected(12.5)) == (True, False)
    assert target.reason == UPSTREAM_RESET.name
    target.reason = 503
    assert target.reason == 503


def test_an_operator_ejects_and_returns_a_target() -> None:
    row = SharedState({"orders": ["http://a", "http://b"]}).upstreams["orders"]
    target = row.targets[0]
    row.eject_by_hand(target, 20.0, 77)
    assert (target.ejected(19.0), target.reason, target.ejections, target.ejected_by) == (True, "operator", 1, 77)
    ejected = row.version
    row.return_by_hand(target, 5.0)
    assert (target.up(5.0), target.ejections, target.back_at) == (True, 0, 5.0)
    assert 0 < ejected < row.version
