"""observe/text_format.py, beyond what test_exposition.py shows of it."""

from collections.abc import Sequence

from gateway.observe.shared_memory import ABSENT, Declaration
from gateway.observe.text_format import CounterRows, GaugeRows, SeriesLocation, exemplars, with_exemplars

COUNTER = Declaration("things_total", "counter", "Things.", ("zone",))
HISTOGRAM = Declaration("wait_seconds", "histogram", "Waiting.", (), (0.1, 1.0))


def written(rows: CounterRows, *regions: Sequence[float]) -> list[str]:
    return b"".join(rows.lines([[*region, 0.0] for region in regions])).decode().splitlines()


def test_a_series_that_a_region_holds_twice_is_counted_twice() -> None:
    rows = CounterRows(COUNTER)
    for slot in (0, 2):
        rows.add_location(("a",), SeriesLocation(0, slot, range(1)))
    rows.add_location(("b",), SeriesLocation(1, 0, range(1)))
    assert written(rows, [1.0, 8.0, 2.0], [5.0]) == ['things_total{zone="a"} 3.0', 'things_total{zone="b"} 5.0']


def test_text_is_used_again_only_while_no_number_has_changed() -> None:
    rows = CounterRows(COUNTER)
    rows.add_location(("a",), SeriesLocation(0, 0, range(1)))
    first, again, changed = (next(iter(rows.lines([[value, 0.0]]))) for value in (1.0, 1.0, 2.0))
    assert first is again
    assert changed == b'things_total{zone="a"} 2.0\n'


def test_slots_of_other_buckets_find_their_place_beside_those_that_fit() -> None:
    rows = CounterRows(HISTOGRAM)
    rows.add_location((), SeriesLocation(0, 0, (1, 1, 2, 3)))
    rows.add_location((), SeriesLocation(0, 4, range(4)))
    assert written(rows, [1.0, 2.0, 4.0, 0.5, 10.0, 20.0, 40.0, 2.5]) == [
        'wait_seconds_bucket{le="0.1"} 10.0',
        'wait_seconds_bucket{le="1.0"} 33.0',
        'wait_seconds_bucket{le="+Inf"} 77.0',
        "wait_seconds_count 77.0",
        "wait_seconds_sum 3.0",
    ]


def test_numbers_without_end() -> None:
    rows = CounterRows(HISTOGRAM)
    rows.add_location((), SeriesLocation(0, 0, range(4)))
    assert written(rows, [1.0, 0.0, 0.0, float("inf")])[-1] == "wait_seconds_sum +Inf"


def test_what_is_cleared_is_gone() -> None:
    rows = CounterRows(COUNTER)
    rows.add_location(("a",), SeriesLocation(0, 0, range(1)))
    rows.clear()
    assert written(rows, [1.0]) == []


def test_gauges_are_merged_and_absent_ones_are_left_out() -> None:
    rows = GaugeRows(Declaration("level", "gauge", "A level.", (), merge="max"))
    for region in range(3):
        rows.add_location((), SeriesLocation(region, 0, range(1)))
    snapshots = [[2.0, 0.0], [7.0, 0.0], [ABSENT, 0.0]]
    assert b"".join(rows.lines(snapshots)) == b"level 7.0\n"
    assert b"".join(rows.lines([[ABSENT, 0.0]] * 3)) == b""
    rows.clear()
    assert b"".join(rows.lines(snapshots)) == b""


def test_an_info_that_no_longer_holds_is_left_out() -> None:
    rows = GaugeRows(Declaration("build", "info", "What runs.", ("release",)))
    rows.add_location(("1",), SeriesLocation(0, 0, range(1)))
    rows.add_location(("2",), SeriesLocation(0, 1, range(1)))
    assert b"".join(rows.lines([[0.0, 1.0, 0.0]])) == b'build{release="2"} 1.0\n'


def exemplar(words: tuple[int, ...], value: float, wall_s: float, *, torn: bool = False) -> list[float]:
    """The slots of an exemplar: the words of its trace id, its value, when it was, and their sum."""
    parts = [*map(float, words), value, wall_s]
    return [*parts, sum(parts) + torn]


def test_the_newest_whole_exemplar_of_a_bucket_stands_behind_its_sample() -> None:
    regions = [
        exemplar((1, 2, 3, 4), 0.05, 10.0)
        + exemplar((5, 6, 7, 8), 0.06, 12.5)
        + exemplar((9, 9, 9, 9), 0.07, 99.0, torn=True)
        + exemplar((0, 0, 0, 0), 0.0, 0.0)
        + exemplar((1, 1, 1, 0xFFFFFFFF), 5.0, 11.0)
    ]
    located = [SeriesLocation(0, 7 * number, range(7)) for number in range(5)]
    found = exemplars(HISTOGRAM, {(): located}, regions)
    assert found == {
        b'wait_seconds_bucket{le="0.1"}': b' # {trace_id="00000005000000060000000700000008"} 0.06 12.500',
        b'wait_seconds_bucket{le="+Inf"}': b' # {trace_id="000000010000000100000001ffffffff"} 5.0 11.000',
    }
    lines = b'wait_seconds_bucket{le="0.1"} 2.0\nwait_seconds_bucket{le="1.0"} 2.0\n'
    assert b"".join(with_exemplars([lines], found)) == (
        b'wait_seconds_bucket{le="0.1"} 2.0 # {trace_id="00000005000000060000000700000008"} 0.06 12.500\n'
        b'wait_seconds_bucket{le="1.0"} 2.0\n'
    )
