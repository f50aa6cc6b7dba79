"""upstream/outlier_detection.py: which targets are ejected, and for how long."""

import pytest

from gateway.kernel.faults import UPSTREAM_BODY_INVALID, UPSTREAM_SATURATED, UPSTREAM_TIMEOUT, Fault
from gateway.kernel.health import Findings, Verdict
from tests.unit.upstream.node import Node, called


@pytest.fixture
def node() -> Node:
    return Node()


def test_a_target_that_fails_in_a_row_is_ejected_for_every_worker(node: Node) -> None:
    one, other = node.worker(7), node.worker(8)
    node.fail(one, 2, 2)
    assert called(one, node.now) == {0, 1, 2, 3}
    node.fail(one, 2, 1, UPSTREAM_TIMEOUT)
    assert called(one, node.now) == called(other, node.now) == {0, 1, 3}
    assert node.observer.events == ["2 ejected: upstream_timeout"]
    assert node.observer.times_s == [10.0]
    row = node.row.targets[2]
    assert (row.ejected_by, row.reason) == (7.0, UPSTREAM_TIMEOUT.name)
    assert row.ejected_until == pytest.approx(node.now + 10)


def test_an_answer_in_between_resets_the_count(node: Node) -> None:
    worker = node.worker()
    for _ in range(3):
        node.fail(worker, 0, 2)
        worker.answered(0, 200)
    assert node.observer.events == []


@pytest.mark.parametrize("fault", [UPSTREAM_SATURATED, UPSTREAM_BODY_INVALID])
def test_some_faults_do_not_count_against_the_target(node: Node, fault: Fault) -> None:
    node.fail(node.worker(), 0, 9, fault)
    assert node.observer.events == []


def test_it_can_be_switched_off() -> None:
    node = Node(failures=0)
    node.fail(node.worker(), 0, 99)
    assert node.observer.events == []


def test_it_is_tried_again_by_itself_and_its_first_failure_ejects_it_for_longer(node: Node) -> None:
    one, other = node.worker(), node.worker()
    node.fail(one, 2, 3)
    assert other.trial(node.now, 5.0) is None
    node.now += 10.0
    assert called(other, node.now) == {0, 1, 3}
    assert other.trial(node.now, 5.0) == 2
    node.fail(other, 2, 1)
    assert called(one, node.now) == {0, 1, 3}
    assert node.observer.times_s == [10.0, 20.0]
    for longer in (40.0, 60.0, 60.0):
        node.now = node.row.targets[2].ejected_until
        node.fail(one, 2, 1)
        assert node.observer.times_s[-1] == longer


def test_an_answer_ends_the_probation(node: Node) -> None:
    one, other = node.worker(), node.worker()
    node.fail(one, 2, 3)
    node.now += 1.0
    one.answered(2, 200)  # a call that was under way when it was ejected
    assert called(one, node.now) == {0, 1, 3}
    node.now += 10.0
    called(other, node.now)
    other.answered(2, 200)
    other.answered(2, 200)
    assert node.observer.events == ["2 ejected: upstream_refused", "2 returned"]
    node.now += 1.0
    called(one, node.now)
    node.fail(one, 2, 2)
    assert called(one, node.now) == {0, 1, 2, 3}
    node.fail(one, 2, 1)
    assert node.observer.times_s == [10.0, 10.0]


def test_an_ejected_one_is_not_ejected_again_by_calls_that_were_under_way(node: Node) -> None:
    one, other = node.worker(), node.worker()
    node.fail(one, 2, 9)
    node.fail(other, 2, 9)
    assert node.observer.events == ["2 ejected: upstream_refused"]


@pytest.mark.parametrize(
    ("count", "max_percent", "most"), [(4, 50, 2), (4, 100, 3), (2, 50, 1), (3, 50, 1), (4, 0, 1), (2, 100, 1)]
)
def test_only_a_part_of_the_targets_is_ejected(count: int, max_percent: int, most: int) -> None:
    node = Node(count, max_percent=max_percent)
    worker = node.worker()
    for number in range(count - 1):
        node.fail(worker, number, 5)
    assert len(node.observer.events) == most
    remaining = called(worker, node.now, count)
    assert remaining == set(range(most, count))


def test_others_are_those_that_are_called_or_else_those_that_are_ejected(node: Node) -> None:
    worker = node.worker()
    node.fail(worker, 3, 3)
    assert worker.others({0}, node.now) == {1: 1, 2: 1}
    assert worker.others({0, 1, 2}, node.now) == {3: 1}
    assert worker.others({0, 1, 2, 3}, node.now) == {}


def test_a_worker_that_starts_later_has_the_same_state(node: Node) -> None:
    node.fail(node.worker(), 1, 3)
    assert called(node.worker(), node.now) == {0, 2, 3}


def test_a_target_that_is_down_is_called_only_when_all_are(node: Node) -> None:
    worker = node.worker()
    node.row.targets[1].findings = Findings(Verdict.DOWN, 0)
    node.row.version += 1
    node.fail(worker, 3, 3)
    assert called(worker, node.now) == {0, 2}
    assert worker.others({0, 2}, node.now) == {3: 1}
    assert worker.others({0, 2, 3}, node.now) == {}
    for row in node.row.targets:
        row.findings = Findings(Verdict.DOWN, 0)
    node.row.version += 1
    assert called(worker, node.now) == {0, 1, 2, 3}
    assert worker.others({0}, node.now) == {1: 1, 2: 1, 3: 1}


def test_when_checks_leave_none_those_that_are_only_ejected_are_called() -> None:
    node = Node(count=2)
    worker = node.worker()
    node.fail(worker, 0, 3)
    node.row.targets[1].findings = Findings(Verdict.DOWN, 0)
    node.row.version += 1
    assert called(worker, node.now, 2) == {0}
    node.row.targets[0].findings = Findings(Verdict.DOWN, 0)
    node.row.version += 1
    assert called(worker, node.now, 2) == {0, 1}


def test_the_only_healthy_target_is_not_ejected() -> None:
    node = Node(count=2)
    node.row.targets[1].findings = Findings(Verdict.DOWN, 0)
    worker = node.worker()
    node.fail(worker, 0, 9)
    assert node.observer.events == []
    assert called(worker, node.now, 2) == {0}


def test_statuses_after_which_calls_are_sent_again_eject_a_target() -> None:
    node = Node(failures=2)
    worker = node.worker()
    for _ in range(2):
        worker.answered_badly(2, 503)
    assert node.observer.events == ["2 ejected: 503"]


def test_clients_that_leave_a_silent_target_eject_it() -> None:
    node = Node(failures=2)
    worker = node.worker()
    for waited_s, answers in ((0.25, 0), (0.24, 0), (9.0, 1)):
        worker.given_up(2, waited_s, answers)
    assert not node.observer.events  # one of them was patient, and nothing else was answered meanwhile
    worker.given_up(2, 0.25, 0)
    assert node.observer.events == ["2 ejected: upstream_timeout"]


def test_when_the_last_one_does_not_answer_either_all_are_called_until_one_does() -> None:
    node = Node(3, max_percent=100)
    worker, other = node.worker(), node.worker()
    for number in range(2):
        node.fail(worker, number, 3)
    assert called(other, node.now, 3) == {2}
    node.fail(worker, 2, 2)
    assert called(other, node.now, 3) == {2}
    node.fail(worker, 2, 1)
    assert called(worker, node.now, 3) == called(other, node.now, 3) == {0, 1, 2}
    node.fail(worker, 0, 5)
    assert called(other, node.now, 3) == {0, 1, 2}
    assert len(node.observer.events) == 2
    node.now += 0.001
    other.answered(1, 200)
    assert called(worker, node.now, 3) == {1}
    assert {worker.trial(node.now, 5.0), worker.trial(node.now, 5.0)} == {0, 2}
    node.fail(worker, 0, 1)
    assert node.row.targets[0].ejected_until - node.now <= 20.0, "no longer for what all had in common"


def test_a_single_target_is_on_nobodys_probation() -> None:
    node = Node(1)
    worker = node.worker()
    node.fail(worker, 0, 9)
    assert (node.row.targets[0].ejections, called(worker, node.now, 1)) == (0, {0})
