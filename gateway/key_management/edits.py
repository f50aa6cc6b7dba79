"""The changes of one key in Redis. Each is one transaction, which is recorded in the audit trail.

All functions raise KeyChangeError.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from msgspec.structs import replace

from gateway.audit.records import AuditRecord
from gateway.config_diff.changes import Change
from gateway.key_management import secret
from gateway.key_management.description import instant_of
from gateway.key_management.differences import key_changes
from gateway.key_management.fields import check_key
from gateway.key_management.registry_access import KeyChangeError
from gateway.keystore.key_audit import KeyAuthor
from gateway.keystore.records import Secret, StoredKey, instant
from gateway.keystore.registry import KeyRegistry
from gateway.settings import Config

OVERLAP_S = 24 * 3600.0
"""How long the old secret is valid beside a new one, unless something else is said."""


class NewSecret(NamedTuple):
    """A secret that is shown once. `old_valid_until` is None for a new key."""

    secret: str
    old_valid_until: str | None
    records: Sequence[AuditRecord]


class PlannedUpdate(NamedTuple):
    """What becomes of a key, and what that means for its holder."""

    before: StoredKey
    after: StoredKey
    changes: list[Change]


def existing(stored: StoredKey | None, key_id: str) -> StoredKey:
    """Return the key, or say that there is none."""
    if stored is None:
        raise KeyChangeError("unknown", f"there is no key `{key_id}`")
    return stored


def create_key(registry: KeyRegistry, author: KeyAuthor, key: dict[str, Any], made: str) -> NewSecret:
    """Create a key, whose fields were checked, with the secret `made`."""
    stored = StoredKey(key, (Secret(secret.digest(made)),), instant_of(registry.now_s()))

    def decide(there: dict[str, StoredKey]) -> dict[str, StoredKey | None]:
        if key["id"] in there:
            raise KeyChangeError("taken", f"`{key['id']}` is the id of another one")
        return {key["id"]: stored}

    return NewSecret(made, None, registry.change([key["id"]], decide, author))


def plan_update(config: Config, before: StoredKey, key: dict[str, Any]) -> PlannedUpdate:
    """Return what it means if the fields of a key become those of `key`."""
    check_key(config, key)
    after = replace(before, key=key)
    return PlannedUpdate(before, after, key_changes(config, [before], [after]))


def apply_update(registry: KeyRegistry, author: KeyAuthor, planned: PlannedUpdate) -> Sequence[AuditRecord]:
    """Make an update, unless the key has changed since it was planned."""
    key_id = planned.before.key["id"]

    def decide(there: dict[str, StoredKey]) -> Mapping[str, StoredKey | None]:
        if there.get(key_id) != planned.before:
            raise KeyChangeError("conflict", f"somebody else has just changed `{key_id}`; look at it and try again")
        return {key_id: planned.after}

    return registry.change([key_id], decide, author)


def rotate_key(registry: KeyRegistry, author: KeyAuthor, key_id: str, overlap_s: float) -> NewSecret:
    """Make a new secret for a key, whose old ones are valid for `overlap_s` more at most."""
    made, now_s = secret.create(), registry.now_s()
    ends = instant_of(ceil(now_s + overlap_s) if overlap_s else now_s)  # whole seconds, rounded up

    def become(stored: StoredKey) -> StoredKey:
        return rotated(stored, secret.digest(made), ends, now_s)

    return NewSecret(made, ends, _change(registry, author, key_id, become))


def rotated(stored: StoredKey, digest: str, ends: str, now_s: float) -> StoredKey:
    """Return the key with a secret of this digest, and those before until `ends` at most."""
    old = [replace(each, until=min(filter(None, (each.until, ends)), key=instant)) for each in stored.secrets]
    kept = [each for each in old if each.until is not None and instant(each.until).timestamp() > now_s]
    return replace(stored, secrets=(Secret(digest), *kept), rotated=instant_of(now_s))


def disable_key(registry: KeyRegistry, author: KeyAuthor, key_id: str, *, disabled: bool) -> Sequence[AuditRecord]:
    """Disable a key, or enable it again."""
    return _change(registry, author, key_id, lambda stored: replace(stored, key={**stored.key, "disabled": disabled}))


def delete_key(registry: KeyRegistry, author: KeyAuthor, key_id: str) -> Sequence[AuditRecord]:
    """Forget a key and its secrets."""
    return _change(registry, author, key_id, lambda _: None)


def _change(
    registry: KeyRegistry, author: KeyAuthor, key_id: str, become: Callable[[StoredKey], StoredKey | None]
) -> Sequence[AuditRecord]:
    return registry.change([key_id], lambda there: {key_id: become(existing(there.get(key_id), key_id))}, author)
