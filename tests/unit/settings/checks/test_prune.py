"""settings/checks/prune.py: what is wrong is left out, so that the rest can be checked."""

from pathlib import Path

from gateway.settings.checks.prune import pruned
from gateway.settings.document.reader import read
from gateway.settings.positions import Loc, SourceFile, Table

TEXT = """version: 2
server: {workers: 0, drain_delay: 1s}
admin: {token: []}
plans: [{id: a, limits: []}, {id: b}, {id: c, limits: [], concurrency: {}}]
nobody: 1
"""


def left(*wrong: Loc) -> tuple[list[str], dict[str, list[int]]]:
    root = read(SourceFile.of("a.yaml", TEXT, Path()), TEXT, {}, lambda *_: None, lambda _: None)
    assert isinstance(root, Table)
    config, _, indexes = pruned(root, list(wrong))
    return [plan.id for plan in config.plans if plan.id in "abc"], indexes


def test_a_field_goes_alone_and_an_entry_that_needs_it_goes_whole() -> None:
    wrong: list[Loc] = [
        ("version",),
        ("server", "workers"),
        ("admin", "token"),
        ("plans", 1, "limits"),
        ("plans", 2, "concurrency"),
        ("nobody",),
    ]
    assert left(*wrong) == (["a", "c"], {"plans": [0, 2]})


def test_what_turns_out_to_be_wrong_afterwards_goes_too() -> None:
    assert left(("version",)) == (["a", "c"], {"plans": [0, 2]})


def test_a_list_that_is_wrong_as_a_whole_goes() -> None:
    assert left(("plans",)) == ([], {})
