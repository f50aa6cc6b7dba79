"""kernel/memo.py: values are remembered up to a bound."""

from gateway.kernel.memo import Memo


def test_a_value_is_remembered_and_returned() -> None:
    memo: Memo[str, int] = Memo(2)
    assert memo.keep("a", 1) == 1
    assert memo == {"a": 1}
    assert memo.get("b") is None


def test_a_full_memo_drops_the_oldest_quarter_before_it_takes_another_entry() -> None:
    memo: Memo[int, int] = Memo(8)
    for number in range(9):
        memo.keep(number, -number)
    assert memo == {number: -number for number in range(3, 9)}


def test_more_keys_than_fit_are_not_all_computed_again() -> None:
    memo: Memo[int, int] = Memo(400)
    missed = 0
    for _ in range(10):
        for number in [*range(300), 1000 + missed]:
            if memo.get(number) is None:
                missed += 1
                memo.keep(number, number)
    assert missed == 300 + 10


def test_initial_entries_are_there_from_the_start_and_stay() -> None:
    memo = Memo(3, {"always": 0})
    assert memo == {"always": 0}
    for number, name in enumerate(("a", "b", "c"), 1):
        memo.keep(name, number)
    assert memo == {"always": 0, "b": 2, "c": 3}
