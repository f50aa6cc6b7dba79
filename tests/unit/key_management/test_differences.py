"""key_management/differences.py: what changed keys mean, in the words of `gateway diff`."""

from typing import Any

from gateway.key_management.differences import key_changes
from gateway.keystore.records import Secret, StoredKey
from gateway.settings import parse
from tests.unit.cli.stored import PREAMBLE

CONFIG = parse(PREAMBLE + "redis: {url: 'redis://h'}\nkeys: {store: redis}\n", environ={})


def stored(digest: str = "a" * 64, **key: Any) -> StoredKey:
    return StoredKey({"id": "k", **key}, (Secret(digest),), "2026-01-01T00:00:00Z")


def effects(before: StoredKey, after: StoredKey) -> list[tuple[str, str]]:
    return [(change.effect, change.aspect) for change in key_changes(CONFIG, [before], [after])]


def test_keys_that_are_alike_do_not_differ() -> None:
    assert effects(stored(plan="gold"), stored(plan="gold")) == []


def test_what_a_key_loses_breaks_and_what_it_gains_widens() -> None:
    assert effects(stored(), stored(disabled=True)) == [("breaking", "disabled")]
    assert effects(stored(expires="2030-01-01T00:00:00Z"), stored()) == [("widening", "expires")]
    assert effects(stored(), stored("b" * 64)) == [("breaking", "secret_sha256")]


def test_a_key_that_cannot_be_used_counts_as_absent() -> None:
    (added,) = key_changes(CONFIG, [stored(plan=7)], [stored()])
    assert (added.name, added.before) == ("k", None)
    without = StoredKey({"id": "k"}, (), "2026-01-01T00:00:00Z")
    assert [change.name for change in key_changes(CONFIG, [without], [stored()])] == ["k"]


def test_no_digest_is_repeated() -> None:
    assert "aaaa" not in str(key_changes(CONFIG, [stored()], [stored("b" * 64)]))
