"""The workers of one node, with the state of targets that they share."""

from typing import Any

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_REFUSED, Fault
from gateway.upstream.outlier_detection import EjectionRules, OutlierDetector
from gateway.upstream.shared_state import SharedState
from tests.unit.upstream.calls import RecordingObserver


class Node:
    """Workers that share the state of `count` targets of weight 1, and a clock. Two targets may be ejected."""

    def __init__(self, count: int = 4, failures: int = 3, max_percent: int = 50) -> None:
        self.now = 1000.0
        self.observer = RecordingObserver()
        self.row = SharedState({"u": [str(number) for number in range(count)]}).upstreams["u"]
        self._rules = EjectionRules(failures, 10.0, 60.0, max_percent)

    def worker(self, process: int = 7, **changed: Any) -> OutlierDetector:
        clock = Clock(lambda: self.now, lambda: 0.0)
        return OutlierDetector(
            self.row,
            dict.fromkeys(range(len(self.row.targets)), 1),
            self._rules,
            self.observer,
            process,
            clock,
            lambda: 0.0,
            **changed,
        )

    def fail(self, worker: OutlierDetector, number: int, times: int, fault: Fault = UPSTREAM_REFUSED) -> None:
        for _ in range(times):
            self.now += 0.001
            worker.failed(number, fault)


def called(worker: OutlierDetector, now: float, among: int = 4) -> set[int]:
    chances = iter([each / (2 * among) for each in range(2 * among) for _ in range(2)])
    return {worker.draw(now).one(lambda _: 0, chances.__next__, worker.errs_more) for _ in range(2 * among)}
