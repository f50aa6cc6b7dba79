"""kernel/traffic/eligible.py: which targets are called."""

import pytest

from gateway.kernel.traffic.eligible import CalledTargets, TargetGroups, slowly


class States:
    """Targets 0 to 5: those in `well` are up, those in `suspect` are up and on probation, those in `down` are down."""

    def __init__(self, well: str = "", suspect: str = "", down: str = "") -> None:
        self.well, self.suspect, self.down = ({int(number) for number in each} for each in (well, suspect, down))

    def called(self, groups: TargetGroups) -> CalledTargets:
        return groups.called(
            self.well.__contains__,
            lambda number: number in self.well | self.suspect,
            self.down.__contains__,
        )


SINGLE = TargetGroups({0: 1, 1: 2, 2: 1})
WEIGHTS = dict.fromkeys(range(6), 1)
PRIORITIES = {0: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 7}
GROUPS = TargetGroups(WEIGHTS, PRIORITIES)
PANIC = TargetGroups(WEIGHTS, PRIORITIES, 0.5)


@pytest.mark.parametrize(
    ("states", "called"),
    [
        (States("012"), {0: 1, 1: 2, 2: 1}),
        (States("1"), {1: 2}),
        (States("", "12"), {1: 2, 2: 1}),
        (States("", "", "12"), {0: 1}),
        (States("", "", "012"), {0: 1, 1: 2, 2: 1}),
    ],
)
def test_one_group(states: States, called: dict[int, int]) -> None:
    assert states.called(SINGLE).weights == called


@pytest.mark.parametrize(
    ("groups", "states", "called", "on_trial"),
    [
        (GROUPS, States("012345"), {0, 1, 2}, {0, 1, 2}),
        (GROUPS, States("2345"), {2}, {0, 1, 2}),
        (GROUPS, States("345", "01"), {3, 4}, {0, 1, 2, 3, 4}),
        (GROUPS, States("", "05"), {0}, set()),
        (GROUPS, States("", "", "01234"), {5}, set()),
        (PANIC, States("01345"), {0, 1}, {0, 1, 2}),
        (PANIC, States("03"), {3}, {0, 1, 2, 3, 4}),
        (PANIC, States("2"), {0, 1, 2}, set()),
    ],
)
def test_groups_by_priority(groups: TargetGroups, states: States, called: set[int], on_trial: set[int]) -> None:
    found = states.called(groups)
    assert (set(found.weights), set(found.on_trial)) == (called, on_trial)


def test_panic_calls_all_of_the_group_that_has_most() -> None:
    groups = TargetGroups(WEIGHTS, PRIORITIES, 0.6)
    assert set(States("03").called(groups).weights) == {3, 4}


def test_the_first_group_that_has_any() -> None:
    assert GROUPS.first({1, 3, 4}, lambda _: True) == {1: 1}
    assert GROUPS.first({1, 3, 4}, lambda number: number > 1) == {3: 1, 4: 1}
    assert GROUPS.first((), lambda _: True) == {}


def test_a_target_that_is_back_starts_slowly() -> None:
    assert slowly({0: 1, 1: 3}, {0: 30.0, 1: 99.0}, 30.0) == {0: 1, 1: 3}
    assert slowly({0: 1, 1: 3}, {0: 15.0, 1: 99.0}, 30.0) == {0: 50, 1: 300}
    assert slowly({0: 1, 1: 3}, {0: 0.0, 1: 1.0}, 30.0) == {0: 10, 1: 30}
