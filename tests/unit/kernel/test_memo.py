"""kernel/memo.py: values are remembered up to a bound."""

from gateway.kernel.memo import Memo


def test_a_value_is_remembered_and_returned() -> None:
    memo: Memo[str, int] = Memo(2)
    assert memo.keep("a", 1) == 1
    assert memo == {"a": 1}
    assert memo.get("b") is None


def test_a_full_memo_is_emptied_before_it_takes_another_entry() -> None:
    memo: Memo[str, int] = Memo(2)
    for number, name in enumerate(("a", "b", "c")):
        memo.keep(name, number)
    assert memo == {"c": 2}


def test_initial_entries_are_there_from_the_start_and_after_each_emptying() -> None:
    memo = Memo(2, {"always": 0})
    assert memo == {"always": 0}
    for number, name in enumerate(("a", "b"), 1):
        memo.keep(name, number)
    assert memo == {"always": 0, "b": 2}
