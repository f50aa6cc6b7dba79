"""upstream/outlier_detection.py: targets on probation, and targets that answer errors."""

import pytest

from gateway.kernel.faults import UPSTREAM_REFUSED, UPSTREAM_SATURATED, Fault
from gateway.kernel.health import Findings, Verdict
from tests.unit.upstream.node import Node, called


@pytest.fixture
def node() -> Node:
    return Node()


class TestTrials:
    """Of target 2, whose ejection is over."""

    @pytest.fixture
    def back(self, node: Node) -> Node:
        node.fail(node.worker(), 2, 3)
        node.now += 10.0
        return node

    def test_there_is_one_trial_among_all_workers(self, back: Node) -> None:
        one, other = back.worker(), back.worker()
        assert one.trial(back.now, 5.0) == 2
        back.now += 0.001
        assert (one.trial(back.now, 5.0), other.trial(back.now, 5.0)) == (None, None)
        assert called(one, back.now) == called(other, back.now) == {0, 1, 3}

    def test_its_answer_ends_the_probation_at_every_worker(self, back: Node) -> None:
        one, other = back.worker(), back.worker()
        one.trial(back.now, 5.0)
        back.now += 0.001
        one.answered(2, 503)  # an answered error is an answer
        assert back.observer.events[1:] == ["2 returned"]
        assert called(one, back.now) == called(other, back.now) == {0, 1, 2, 3}
        assert back.row.targets[2].trial_until == 0

    @pytest.mark.parametrize("fault", [None, UPSTREAM_SATURATED])
    def test_without_a_result_the_next_call_is_the_trial(self, back: Node, fault: Fault | None) -> None:
        one, other = back.worker(), back.worker()
        one.trial(back.now, 5.0)
        back.now += 0.001
        if fault is None:
            one.undecided(2)
        else:
            one.failed(2, fault)
        assert other.trial(back.now, 5.0) == 2
        assert back.observer.events == ["2 ejected: upstream_refused"]

    def test_a_trial_without_a_result_in_time_is_lost(self, back: Node) -> None:
        one, other = back.worker(), back.worker()
        one.trial(back.now, 5.0)
        back.now += 4.9
        assert other.trial(back.now, 5.0) is None
        back.now += 0.1
        assert other.trial(back.now, 5.0) == 2

    def test_a_call_to_another_target_decides_nothing(self, back: Node) -> None:
        one, other = back.worker(), back.worker()
        one.trial(back.now, 5.0)
        back.now += 0.001
        one.undecided(1)
        assert other.trial(back.now, 5.0) is None

    def test_several_targets_have_trials_at_the_same_time(self, back: Node) -> None:
        worker = back.worker()
        back.row.targets[0].ejections = 1
        back.row.version += 1
        assert {worker.trial(back.now, 5.0), worker.trial(back.now, 5.0)} == {0, 2}
        assert worker.trial(back.now, 5.0) is None

    def test_one_that_is_down_is_not_tried(self, back: Node) -> None:
        worker = back.worker()
        back.row.targets[2].findings = Findings(Verdict.DOWN, 0)
        back.row.version += 1
        assert worker.trial(back.now, 5.0) is None

    def test_when_all_are_on_probation_all_are_called(self, back: Node) -> None:
        worker = back.worker()
        for row in back.row.targets:
            row.ejections = 1
        back.row.version += 1
        assert worker.trial(back.now, 5.0) is None
        assert called(worker, back.now) == {0, 1, 2, 3}
        back.now += 0.001
        back.fail(worker, 1, 1)
        assert back.observer.events == ["2 ejected: upstream_refused"]  # the last that might answer are not left alone

    def test_targets_on_probation_count_as_ejected(self, back: Node) -> None:
        """Two of four may be out: one is on probation, so one more is ejected, and no third one."""
        worker = back.worker()
        back.fail(worker, 0, 3)
        back.fail(worker, 1, 3)
        assert back.observer.events == ["2 ejected: upstream_refused", "0 ejected: upstream_refused"]

    def test_it_can_be_switched_off_but_one_that_was_down_is_tried_all_the_same(self) -> None:
        node = Node(failures=0)
        worker = node.worker()
        node.row.targets[1].ejections = 1
        node.row.version += 1
        for _ in range(3):
            assert worker.trial(node.now, 5.0) == 1
            node.fail(worker, 1, 1)
        assert node.observer.events == []


class TestErrors:
    def test_a_target_that_answers_errors_errs_more(self, node: Node) -> None:
        worker = node.worker()
        for _ in range(2):
            worker.answered(0, 500)
            worker.answered(1, 200)
        assert worker.errs_more(0, 1)
        assert not worker.errs_more(1, 0)
        assert not worker.errs_more(1, 2)

    @pytest.mark.parametrize(
        ("status", "more"),
        [(200, False), (302, False), (400, True), (404, True), (429, True), (500, True), (503, True)],
    )
    def test_every_error_status_counts(self, node: Node, status: int, *, more: bool) -> None:
        worker = node.worker()
        for _ in range(5):
            worker.answered(0, status)
        assert worker.errs_more(0, 1) is more

    def test_no_answer_counts_as_an_error_and_no_free_connection_does_not(self, node: Node) -> None:
        worker = node.worker()
        for _ in range(2):
            worker.failed(0, UPSTREAM_REFUSED)
            worker.failed(1, UPSTREAM_SATURATED)
        assert worker.errs_more(0, 1)
        assert not worker.errs_more(1, 2)

    def test_errors_that_all_targets_answer_single_none_out(self, node: Node) -> None:
        worker = node.worker()
        for _ in range(20):
            worker.answered(0, 404)
            worker.answered(1, 404)
        assert not worker.errs_more(0, 1)

    def test_errors_lose_their_weight_with_time(self, node: Node) -> None:
        worker = node.worker()
        for status in (500,) * 20 + (200,) * 40:
            worker.answered(0, status)
        assert not worker.errs_more(0, 1)
