"""upstream/outlier_detection.py: priority groups, and targets that start slowly."""

from gateway.kernel.load_balancing import RoundRobin
from gateway.kernel.traffic.eligible import TargetGroups
from gateway.upstream.outlier_detection import OutlierDetector
from tests.unit.upstream.node import Node, called


def test_another_priority_is_called_while_the_first_one_is_ejected() -> None:
    node = Node(2, failures=1)
    worker = node.worker(groups=TargetGroups({0: 1, 1: 1}, {0: 0, 1: 1}))
    assert called(worker, node.now, 2) == {0}
    assert worker.others([0], node.now) == {1: 1}
    node.fail(worker, 0, 1)
    assert called(worker, node.now, 2) == {1}
    assert worker.others([1], node.now) == {0: 1}
    node.now += 10.0
    assert worker.trial(node.now, 5.0) == 0


def picked(worker: OutlierDetector, now: float) -> list[int]:
    return [worker.draw(now).one(lambda _: 0, lambda: 0.0, worker.errs_more) for _ in range(110)]


def test_a_target_that_is_back_gets_its_weight_little_by_little() -> None:
    node = Node(2, failures=1)
    worker = node.worker(picker=RoundRobin, slow_start_s=20.0)
    assert picked(worker, node.now).count(0) == 55
    node.fail(worker, 0, 1)
    assert picked(worker, node.now).count(0) == 0
    node.now += 10.0
    assert worker.trial(node.now, 5.0) == 0
    worker.answered(0, 200)
    assert picked(worker, node.now).count(0) == 10
    node.now += 10.0
    assert picked(worker, node.now).count(0) in (36, 37)
    node.now += 10.0
    assert picked(worker, node.now).count(0) == 55
