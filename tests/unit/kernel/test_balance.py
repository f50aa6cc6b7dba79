"""kernel/balance.py: who gets the next call."""

import random
from collections import Counter

import pytest

from gateway.kernel.balance import Draw


def shares(weights: dict[int, int], loads: dict[int, int], calls: int = 20_000) -> dict[int, float]:
    """The part of `calls` that each gets while nothing changes."""
    draw, chance = Draw(weights), random.Random(7).random
    chosen = Counter(draw.one(loads.__getitem__, chance) for _ in range(calls))
    return {number: chosen[number] / calls for number in weights}


def test_while_nobody_is_busy_weights_are_shares() -> None:
    assert shares({0: 2, 3: 1, 5: 1}, {0: 0, 3: 0, 5: 0}) == pytest.approx({0: 0.5, 3: 0.25, 5: 0.25}, abs=0.02)


def test_one_is_not_asked_how_busy_it_is() -> None:
    assert Draw({4: 3}).one(dict[int, int]().__getitem__, lambda: 0.999) == 4


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        ({0: 4, 1: 2}, 0),  # as busy for their weights: the first one drawn
        ({0: 5, 1: 2}, 1),
        ({0: 3, 1: 2}, 0),
        ({0: 0, 1: 1}, 0),
        ({0: 1, 1: 0}, 1),
    ],
)
def test_of_two_the_one_that_is_less_busy_for_its_weight(loads: dict[int, int], expected: int) -> None:
    drawn = iter((0.1, 0.9))
    assert Draw({0: 2, 1: 1}).one(loads.__getitem__, drawn.__next__) == expected
    drawn = iter((0.9, 0.1))
    assert Draw({0: 2, 1: 1}).one(loads.__getitem__, drawn.__next__) == (1 if loads == {0: 4, 1: 2} else expected)


def test_a_busy_one_gets_little() -> None:
    assert shares({0: 1, 1: 1}, {0: 9, 1: 0})[0] == pytest.approx(0.25, abs=0.02)


def test_under_load_calls_in_flight_are_as_the_weights_say() -> None:
    weights, loads, chance = {0: 3, 1: 1}, [0, 0], random.Random(11)
    draw, done, under_way = Draw(weights), Counter[int](), list[int]()
    for _ in range(20_000):
        number = draw.one(loads.__getitem__, chance.random)
        loads[number] += 1
        under_way.append(number)
        if len(under_way) > 40:
            number = under_way.pop(chance.randrange(len(under_way)))
            loads[number] -= 1
            done[number] += 1
    assert done[0] / done.total() == pytest.approx(0.75, abs=0.03)
