import os

import pytest

from gateway.observe.slots import Declaration, Region, RegionFullError, Series

COUNTER = Declaration("things_total", "counter", "Things.", ("kind",))
GAUGE = Declaration("level", "gauge", "A level.", ())
HISTOGRAM = Declaration("wait_seconds", "histogram", "Waiting.", (), (0.1, 1.0))


def everything(region: Region) -> list[Declaration | Series]:
    found: list[Declaration | Series] = []
    read = 0
    while True:
        entries, read = region.entries(read)
        if not entries:
            return found
        found += entries


def test_a_region_describes_itself() -> None:
    region = Region.create(100, 4096)
    things, wait = region.declare(COUNTER), region.declare(HISTOGRAM)
    a = region.series(things, ("a",), COUNTER.width)
    w = region.series(wait, (), HISTOGRAM.width)
    b = region.series(things, ("b",), COUNTER.width)
    assert everything(region) == [COUNTER, HISTOGRAM, Series(0, a, ("a",)), Series(1, w, ()), Series(0, b, ("b",))]
    assert b - w == HISTOGRAM.width == 4
    assert repr(region) == "<Region 2 families, 3 series, 8/100 slots>"


def test_a_series_is_begun_once() -> None:
    region = Region.create(100, 4096)
    number = region.declare(COUNTER)
    assert region.series(number, ("a",), 1) == region.series(number, ("a",), 1)
    assert region.declare(COUNTER) == number
    assert len(everything(region)) == 2


def test_a_long_directory_is_read_in_parts() -> None:
    region = Region.create(2000, 1 << 20)
    number = region.declare(COUNTER)
    for n in range(1000):
        region.series(number, (f"a thing with a long name {n}",), 1)
    first, read = region.entries(0)
    assert 0 < len(first) < 1001
    assert region.entries(read)[0][0] != first[-1]
    assert len(everything(region)) == 1001


def test_a_region_without_room_says_so() -> None:
    region = Region.create(4, 4096)
    number = region.declare(COUNTER)
    region.series(number, ("a",), 2)
    with pytest.raises(RegionFullError):
        region.series(number, ("b",), 1)
    narrow = Region.create(100, 10)
    with pytest.raises(RegionFullError):
        narrow.declare(COUNTER)
    assert everything(narrow) == []


def test_a_successor_counts_on_and_starts_its_gauges_anew() -> None:
    region = Region.create(100, 4096)
    counter = region.series(region.declare(COUNTER), ("a",), 1)
    gauge = region.series(region.declare(GAUGE), (), 1)
    region.slots[counter] += 5
    region.slots[gauge] += 7

    successor = Region(region.memory, 100)
    assert successor.series(successor.declare(COUNTER), ("a",), 1) == counter
    assert successor.series(successor.declare(GAUGE), (), 1) == gauge
    assert successor.slots[counter] == 5
    assert successor.slots[gauge] == 0
    assert successor.series(successor.declare(COUNTER), ("b",), 1) == gauge + 1


def test_what_a_child_process_counts_its_parent_reads() -> None:
    region = Region.create(100, 4096)
    child = os.fork()
    if child == 0:
        slot = region.series(region.declare(COUNTER), ("from the child",), 1)
        region.slots[slot] += 42
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    declared, series = everything(region)
    assert declared == COUNTER
    assert isinstance(series, Series)
    assert series.values == ("from the child",)
    assert region.snapshot()[series.slot] == 42
