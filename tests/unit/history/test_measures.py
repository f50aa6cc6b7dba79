"""history/measures.py: what is kept of each name, added up and bounded."""

import random
from bisect import bisect_left

import pytest

from gateway.history.measures import (
    CLIENT_ERRORS,
    DIMENSIONS,
    DURATION_BOUNDS_S,
    DURATIONS,
    OTHER,
    OVERHEADS,
    SERVER_ERRORS,
    WIDTH,
    Counts,
    CountTable,
    Elements,
    add_to,
    added,
    bounded,
    empty_tables,
    percentiles_s,
    requests,
    sampled,
    subtracted,
    total,
    weight,
)


def counts(calls: int, server_errors: int = 0) -> Counts:
    made = [0] * WIDTH
    made[3], made[SERVER_ERRORS] = calls, server_errors
    return made


def test_counts_are_added_and_subtracted() -> None:
    assert requests(added(counts(2), counts(3))) == 5
    assert subtracted(added(counts(2, 1), counts(3)), counts(3)) == counts(2, 1)
    assert total([counts(1), counts(2, 1)]) == counts(3, 1)
    assert total([]) == [0] * WIDTH


def test_a_call_that_is_a_number_counts_in_both_histograms() -> None:
    found = sampled([3 * OVERHEADS + 1, 3 * OVERHEADS + 1, 0, (DURATIONS - 1) * OVERHEADS + OVERHEADS - 1])
    assert {at: number for at, number in enumerate(found) if number} == {
        0: 1, 3: 2, DURATIONS - 1: 1, DURATIONS: 1, DURATIONS + 1: 2, CLIENT_ERRORS - 1: 1,
    }  # fmt: skip
    assert len(found) == WIDTH
    assert sampled([]) == [0] * WIDTH


def test_of_too_many_rows_the_heaviest_are_kept_and_the_others_are_added_up() -> None:
    table: CountTable = {("a", "1"): counts(5), ("b", "1"): counts(1), ("c", "1"): counts(2), ("d", "1"): counts(1, 1)}
    assert bounded(table, 4) is table
    assert bounded(table, 2) == {("a", "1"): counts(5), ("d", "1"): counts(1, 1), (OTHER, OTHER): counts(3)}
    assert weight(counts(1, 1)) > weight(counts(5))


def test_a_row_that_is_called_other_already_is_not_lost() -> None:
    table: CountTable = {(OTHER,): counts(9), ("b",): counts(1)}
    assert bounded(table, 1) == {(OTHER,): counts(10)}


def test_counts_are_never_changed_in_place() -> None:
    table: CountTable = {}
    first = counts(1)
    add_to(table, ("a",), first)
    add_to(table, ("a",), counts(2))
    assert (requests(first), requests(table["a",])) == (1, 3)


@pytest.mark.parametrize(
    ("durations_s", "share", "expected_s"),
    [
        ([0.010] * 100, 0.5, 0.010),
        ([0.001] * 98 + [2.0] * 2, 0.5, 0.001),
        ([0.001] * 98 + [2.0] * 2, 0.99, 2.0),
        ([300.0], 0.5, 60.0),
    ],
)
def test_percentiles_are_right_within_the_ratio_of_two_bounds(
    durations_s: list[float], share: float, expected_s: float
) -> None:
    histogram = [0] * DURATIONS
    for each in durations_s:
        histogram[sum(bound < each for bound in DURATION_BOUNDS_S)] += 1
    (found,) = percentiles_s(histogram, DURATION_BOUNDS_S, (share,))
    assert found is not None
    assert expected_s / 1.5 <= found <= expected_s * 1.5


def test_nothing_has_no_percentiles() -> None:
    assert percentiles_s([0] * DURATIONS, DURATION_BOUNDS_S, (0.5, 0.99)) == [None, None]
    assert CLIENT_ERRORS > DURATIONS


def test_there_is_a_table_for_each_dimension() -> None:
    tables = empty_tables()
    assert [*tables] == [*DIMENSIONS]
    assert not any(tables.values())


def test_the_elements_of_durations_are_found_in_any_order() -> None:
    elements = Elements((1.0, 2.0, 4.0))
    chance = random.Random(7)
    seen = [chance.choice((0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 4.0, 4.5)) for _ in range(500)]
    assert [elements.of(each) for each in seen] == [bisect_left((1.0, 2.0, 4.0), each) for each in seen]
