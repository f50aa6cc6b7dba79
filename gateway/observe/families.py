"""Declares the metrics of a process."""

from collections.abc import Callable, Sequence
from typing import Any

from gateway.observe.instruments import Child, Counter, Exemplar, Family, Gauge, Histogram, Slots
from gateway.observe.shared_memory import Declaration, Merge, Region

_VALUES_OF_INFO = 10_000


class Families:
    """Series in one region, whose writer this process is. `cap` is how many of a family there may be."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.families: list[Family[Any]] = []

    def refresh(self) -> None:
        """Ask every watched source: gauges, and counters without labels.

        A process whose region others read does it often.
        """
        for family in self.families:
            if family.declaration.kind == "gauge" or not family.declaration.labels:
                family.refresh()

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = (), cap: int = 1) -> Family[Counter]:
        return self._family(Counter, Declaration(name, "counter", text, labels), cap)

    def _gauge(
        self, name: str, text: str, labels: tuple[str, ...] = (), cap: int = 1, merge: Merge = "sum"
    ) -> Family[Gauge]:
        return self._family(Gauge, Declaration(name, "gauge", text, labels, merge=merge), cap)

    def _info(self, name: str, text: str, labels: tuple[str, ...]) -> Family[Gauge]:
        return self._family(Gauge, Declaration(name, "info", text, labels, merge="max"), _VALUES_OF_INFO)

    def _histogram(
        self, name: str, text: str, labels: tuple[str, ...], cap: int, buckets: Sequence[float]
    ) -> Family[Histogram]:
        return self._family(Histogram, Declaration(name, "histogram", text, labels, tuple(buckets)), cap)

    def _exemplars(self, histograms: Family[Histogram]) -> Family[Exemplar]:
        about = histograms.declaration
        return self._family(Exemplar, Declaration(about.name, "exemplar", "", about.labels), histograms.cap)

    def _family(
        self, make: Callable[[Slots, int, Declaration], Child], declaration: Declaration, cap: int
    ) -> Family[Child]:
        family = Family(self.region, make, declaration, cap)
        self.families.append(family)
        return family
