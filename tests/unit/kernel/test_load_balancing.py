"""kernel/load_balancing.py: which target gets the next call."""

import random
from collections import Counter
from collections.abc import Callable
from typing import ClassVar

import pytest

from gateway.kernel.load_balancing import Draw, Rendezvous, RoundRobin, seed_of


def alike(_number: int, _than: int) -> bool:
    """None answers more errors than another."""
    return False


def shares(
    weights: dict[int, int], loads: dict[int, int], calls: int = 20_000, errs_more: Callable[[int, int], bool] = alike
) -> dict[int, float]:
    """The part of `calls` that each gets while nothing changes."""
    draw, chance = Draw(weights), random.Random(7).random
    chosen = Counter(draw.one(loads.__getitem__, chance, errs_more) for _ in range(calls))
    return {number: chosen[number] / calls for number in weights}


def test_while_nobody_is_busy_weights_are_shares() -> None:
    assert shares({0: 2, 3: 1, 5: 1}, {0: 0, 3: 0, 5: 0}) == pytest.approx({0: 0.5, 3: 0.25, 5: 0.25}, abs=0.02)


def test_one_is_not_asked_how_busy_it_is() -> None:
    assert Draw({4: 3}).one(dict[int, int]().__getitem__, lambda: 0.999, alike) == 4


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
    assert Draw({0: 2, 1: 1}).one(loads.__getitem__, drawn.__next__, alike) == expected
    drawn = iter((0.9, 0.1))
    assert Draw({0: 2, 1: 1}).one(loads.__getitem__, drawn.__next__, alike) == (
        1 if loads == {0: 4, 1: 2} else expected
    )


def test_a_busy_one_gets_nothing() -> None:
    assert shares({0: 1, 1: 1, 2: 5}, {0: 9, 1: 0, 2: 0})[0] == 0


@pytest.mark.parametrize("weights", [{0: 1, 1: 1}, {0: 1, 1: 7, 2: 3}, {0: 1000, 1: 1}])
def test_two_different_ones_are_drawn(weights: dict[int, int]) -> None:
    draw, chance, asked = Draw(weights), random.Random(3).random, list[int]()

    def load(number: int) -> int:
        asked.append(number)
        return 0

    for _ in range(2000):
        draw.one(load, chance, alike)
    assert all(one != other for one, other in zip(asked[::2], asked[1::2], strict=True))
    assert set(asked) == set(weights)


@pytest.mark.parametrize(("weight", "others"), [(1, (1, 1)), (2, (1, 1)), (1, (3, 1))])
def test_one_that_answers_errors_gets_no_more_than_its_weight_for_being_never_busy(
    weight: int, others: tuple[int, ...]
) -> None:
    weights = dict(enumerate((weight, *others)))
    loads = dict.fromkeys(weights, 7) | {0: 0}
    share = weight / sum(weights.values())
    assert shares(weights, loads)[0] > share * 1.2
    assert shares(weights, loads, errs_more=lambda number, _: number == 0)[0] == pytest.approx(share, abs=0.02)


def test_one_that_answers_errors_and_is_busy_gets_less_all_the_same() -> None:
    assert shares({0: 1, 1: 1}, {0: 9, 1: 0}, errs_more=lambda number, _: number == 0)[0] == 0


def test_turns_are_spread_evenly() -> None:
    in_turn = RoundRobin({0: 3, 4: 1, 5: 1})
    assert [in_turn.one(lambda _: 0, lambda: 0.0, alike) for _ in range(10)] == [0, 4, 0, 5, 0] * 2


class TestKeptTogether:
    SEEDS: ClassVar[dict[int, int]] = {number: seed_of(f"http://10.0.0.{number}") for number in range(5)}
    KEYS: ClassVar[list[int]] = [seed_of(f"caller {number}") for number in range(4000)]

    def chosen(self, weights: dict[int, int]) -> list[int]:
        rendezvous = Rendezvous(weights, self.SEEDS)
        return [rendezvous.one(lambda _: 0, lambda: 0.0, alike, key) for key in self.KEYS]

    def test_weights_are_shares_of_the_keys(self) -> None:
        counts = Counter(self.chosen({0: 2, 1: 1, 2: 1, 4: 4}))
        shares = {number: count / len(self.KEYS) for number, count in counts.items()}
        assert shares == pytest.approx({0: 0.25, 1: 0.125, 2: 0.125, 4: 0.5}, abs=0.03)

    def test_only_the_keys_of_a_target_that_leaves_move(self) -> None:
        before = self.chosen(dict.fromkeys(range(5), 1))
        after = self.chosen({0: 1, 1: 1, 2: 1, 4: 1})
        moved = [old for old, new in zip(before, after, strict=True) if old != new]
        assert set(moved) == {3}
        assert len(moved) == before.count(3) == pytest.approx(len(self.KEYS) / 5, rel=0.15)
        # They are spread over all others
        others = Counter(new for old, new in zip(before, after, strict=True) if old == 3)
        assert min(others.values()) > len(moved) / 8
