"""What the audit trail says about changes of keys in Redis. It has neither secrets nor their digests."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.audit.records import Actor, AuditEntry, differing, some_of
from gateway.keystore.records import StoredKey

MOST_RECORDS = 100
"""Keys of one change that get a record each. More of them, as in a large import, have one record together."""


class KeyAuthor(NamedTuple):
    """Who changes keys, by which action, such as `keys.rotate`, and through which gateway; None for a command."""

    actor: Actor
    action: str
    gateway: str | None = None


def key_entries(
    author: KeyAuthor, before: Mapping[str, StoredKey], after: Mapping[str, StoredKey | None]
) -> Iterator[AuditEntry]:
    """Yield the entries for a change of the keys in `after`; None is a key that was deleted."""
    if len(after) > MOST_RECORDS:
        names = {"keys": len(after), "ids": some_of(after, MOST_RECORDS)}
        replaced = sum(key_id in before for key_id in after)
        yield AuditEntry(author.actor, author.action, f"{len(after)} keys", {"keys": replaced}, names)
        return
    for key_id, stored in after.items():
        old, new = _described(before.get(key_id)), _described(stored)
        if old is not None and new is not None:
            old, new = differing(old, new)
        yield AuditEntry(author.actor, author.action, key_id, old, new)


def _described(stored: StoredKey | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    proofs = ["valid" if each.until is None else f"valid until {each.until}" for each in stored.secrets]
    key = {name: value for name, value in stored.key.items() if name not in ("id", "secret_sha256")}
    return {**key, "created": stored.created, "rotated": stored.rotated, "proofs": proofs}
