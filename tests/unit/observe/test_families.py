"""observe/families.py: a process declares its families and refreshes those that have a source."""

from gateway.observe.families import Families
from gateway.observe.shared_memory import Region


class Sample(Families):
    def __init__(self) -> None:
        super().__init__(Region.create(slots=64, directory_bytes=1 << 12))
        self.total = self._counter("total", "All.")
        self.by_name = self._counter("by_name_total", "By name.", ("name",), 4)
        self.level = self._gauge("level", "How much.", ("name",), 4)
        self.info = self._info("about_info", "What.", ("version",))
        self.duration = self._histogram("duration_seconds", "How long.", (), 1, (0.1, 1.0))


def test_each_family_is_declared_with_its_kind() -> None:
    kinds = {family.declaration.name: family.declaration.kind for family in Sample().families}
    assert kinds == {
        "total": "counter",
        "by_name_total": "counter",
        "level": "gauge",
        "about_info": "info",
        "duration_seconds": "histogram",
    }


def test_gauges_and_counters_without_labels_are_refreshed() -> None:
    sample = Sample()
    sample.total.labels().watch(lambda: 3.0)
    sample.by_name.labels("a").watch(lambda: 4.0)
    sample.level.labels("a").watch(lambda: 5.0)
    sample.refresh()
    assert (sample.total.labels().value, sample.by_name.labels("a").value, sample.level.labels("a").value) == (
        3.0,
        0.0,
        5.0,
    )
