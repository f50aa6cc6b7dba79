import pytest

from gateway.observe.instruments import Counter, Exemplar, Family, Gauge, Histogram, method_label
from gateway.observe.shared_memory import Declaration, Region


@pytest.fixture
def region() -> Region:
    return Region.create(200, 1 << 14)


def counters(region: Region, *labels: str, cap: int = 10) -> Family[Counter]:
    return Family(region, Counter, Declaration("things_total", "counter", "Things.", labels), cap)


def gauges(region: Region) -> Family[Gauge]:
    return Family(region, Gauge, Declaration("level", "gauge", "A level.", ()), 1)


def test_counters_count(region: Region) -> None:
    family = counters(region, "kind")
    a, b = family.labels("a"), family.labels("b")
    a.inc()
    a.inc(2.5)
    b.inc()
    assert (a.value, b.value) == (3.5, 1.0)
    assert family.labels("a") is a
    assert repr(family) == "<Family things_total 2/10 series>"


def test_a_watched_counter_goes_on_from_what_was_counted_before(region: Region) -> None:
    counter = counters(region).labels()
    counter.inc(100)
    dropped = 0
    counter.watch(lambda: dropped)
    dropped = 3
    assert counter.value == 100
    counter.refresh()
    counter.refresh()
    assert counter.value == 103


def test_gauges_go_both_ways(region: Region) -> None:
    family = gauges(region)
    gauge = family.labels()
    gauge.inc(5)
    gauge.dec()
    family.refresh()
    assert gauge.value == 4
    gauge.set(-2)
    assert gauge.value == -2
    gauge.watch(lambda: 9)
    family.refresh()
    assert gauge.value == 9


def test_a_histogram_puts_a_bound_into_its_own_bucket(region: Region) -> None:
    family = Family(region, Histogram, Declaration("wait_seconds", "histogram", "Waiting.", (), (0.1, 1.0)), 1)
    histogram = family.labels()
    for value in (0.05, 0.1, 0.100001, 1.0, 7.0, float("inf")):
        histogram.observe(value)
    family.refresh()
    assert histogram.count == 6
    first = region.snapshot()[2:]
    assert first == [2.0, 2.0, 2.0, float("inf")]


def test_beyond_the_cap_everything_is_other(region: Region) -> None:
    family = counters(region, "kind", "colour", cap=2)
    family.labels("a", "red").inc()
    family.labels("b", "red").inc()
    family.labels("c", "red").inc()
    family.labels("d", "blue").inc()
    assert family.labels("e", "green") is family.labels("other", "other")
    assert family.labels("e", "green").value == 2
    assert family.labels("a", "red").value == 1


def test_what_clients_invent_is_not_remembered(region: Region) -> None:
    family = counters(region, "method", cap=5)
    for n in range(100):
        family.labels(f"BREW{n}").inc()
    assert not family._asked
    assert repr(family) == "<Family things_total 1/5 series>"
    assert family.labels("other").value == 100


def test_a_full_region_costs_numbers_and_no_requests() -> None:
    region = Region.create(3, 1 << 12)
    family = counters(region, "kind")
    family.labels("a").inc()
    lost = family.labels("b")
    lost.inc()
    assert lost.value == 1
    assert family.labels("b") is lost
    assert region.snapshot()[2:] == [1.0]


def test_labels_are_counted(region: Region) -> None:
    with pytest.raises(ValueError, match="things_total has the labels"):
        counters(region, "kind").labels("a", "b")


def test_label_values_become_short_valid_text(region: Region) -> None:
    family = counters(region, "kind")
    assert family.labels(404) is family.labels("404")
    family.labels("x" * 10_000)
    family.labels("\udcff")
    values = [entry.values for entry in region.entries(0)[0] if not isinstance(entry, Declaration)]
    assert values == [("404",), ("x" * 200,), ("?",)]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"])
def test_known_methods_are_labels(method: str) -> None:
    assert method_label(method) == method


def test_invented_methods_are_other(region: Region) -> None:
    assert method_label("get") == method_label("BREW") == "other"
    family = counters(region, "route", "method", "code")
    assert family.labels("r", "BREW", 405) is family.labels("r", "other", 405)
    assert family.labels("r", "GET", 405) is not family.labels("r", "other", 405)


def test_a_gauge_of_a_writer_that_ended_begins_at_nothing(region: Region) -> None:
    gauges(region).labels().set(5)
    region.writer_exited()
    assert gauges(region.reopened()).labels().value == 0.0


def test_an_exemplar_is_kept_in_numbers(region: Region) -> None:
    traced = Family(region, Exemplar, Declaration("wait", "exemplar", "", ("zone",)), 9)
    exemplar = traced.labels("a")
    exemplar.refresh()
    exemplar.set("00000001ffffffff0000000000000002", 0.5, 9.0)
    assert region.snapshot()[-7:] == [1.0, 4294967295.0, 0.0, 2.0, 0.5, 9.0, 4294967307.5]
