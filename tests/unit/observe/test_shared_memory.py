import os
from pathlib import Path

import pytest

from gateway.observe.shared_memory import ABSENT, Declaration, Region, RegionFullError, Series

COUNTER = Declaration("things_total", "counter", "Things.", ("kind",))
GAUGE = Declaration("level", "gauge", "A level.", ())
HISTOGRAM = Declaration("wait_seconds", "histogram", "Waiting.", (), (0.1, 1.0))


def everything(region: Region) -> list[Declaration | Series]:
    return region.entries(0)[0]


def test_a_region_describes_itself() -> None:
    region = Region.create(100, 4096)
    samples, wait = region.declare(COUNTER), region.declare(HISTOGRAM)
    a = region.series(samples, ("a",), COUNTER.width)
    w = region.series(wait, (), HISTOGRAM.width)
    b = region.series(samples, ("b",), COUNTER.width)
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
    parts = []
    part, read = region.entries(0, 4096)
    while part:
        assert len(part) < 100
        parts += part
        part, read = region.entries(read, 4096)
    assert parts == everything(region)
    assert len(parts) == 1001


def test_a_line_longer_than_a_part_is_read_alone() -> None:
    region = Region.create(2000, 1 << 20)
    number = region.declare(COUNTER)
    for value in ("a", "b" * 5000, "c"):
        region.series(number, (value,), 1)
    part, read = region.entries(0, 1024)
    assert len(part) == 2
    part, read = region.entries(read, 1024)
    assert [entry.values for entry in part if isinstance(entry, Series)] == [("b" * 5000,)]
    assert len(region.entries(read, 1024)[0]) == 1


def test_a_region_without_space_states_so() -> None:
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
    assert successor.slots[gauge] == ABSENT
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


def test_another_program_can_be_handed_a_region() -> None:
    region = Region.shared()
    counter = region.series(region.declare(COUNTER), ("a",), 1)
    region.slots[counter] = 5
    assert region.fd is not None
    other = Region.opened(os.dup(region.fd))
    assert everything(other) == everything(region)
    assert other.slots[counter] == 5


def test_a_file_of_another_size_is_no_region(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file, pytest.raises(ValueError, match="no region"):
        Region.opened(file.fileno())


def test_gauges_of_a_writer_that_ended_are_absent() -> None:
    region = Region.create(100, 4096)
    counter = region.series(region.declare(COUNTER), ("a",), 1)
    gauge = region.series(region.declare(GAUGE), (), 1)
    region.slots[counter], region.slots[gauge] = 5, 7
    region.writer_exited()
    again = region.reopened()
    assert (again.slots[counter], again.slots[gauge]) == (5, ABSENT)
