"""The key of a caller, shown to the caller and rotated by the caller: `server.self_service_path`."""

from collections.abc import Callable
from math import ceil
from typing import Any, Protocol

from gateway.audit.records import Actor, AuditRecord, record_of
from gateway.audit.trail import log_record, new_record_id
from gateway.key_management import secret
from gateway.key_management.description import instant_of
from gateway.key_management.edits import NewSecret, existing, rotated
from gateway.key_management.registry_access import KeyChangeError
from gateway.keystore.key_audit import KeyAuthor, key_entries
from gateway.keystore.records import StoredKey
from gateway.keystore.writer import KeyContent

MOST_SECRETS = 10
"""Secrets of one key that may be valid at once: more of them would make its entry in Redis grow without bound."""
_ATTEMPTS = 3


class ContentStore(Protocol):
    """What is needed of a KeyWriter."""

    async def read(self, key_id: str) -> KeyContent | None:
        """Return a key, None when there is none."""
        ...

    async def replace(self, before: KeyContent, after: StoredKey, record: AuditRecord) -> bool:
        """Write `after`, and return whether `before` was still there."""
        ...


class OwnKeys:
    """Shows and rotates keys of `store`. `wall` reads Unix time, `gateway` is the name of this host.

    All methods raise KeyChangeError, and what `store` raises.
    """

    def __init__(self, store: ContentStore, wall: Callable[[], float], gateway: str) -> None:
        self._store = store
        self._wall = wall
        self._gateway = gateway

    async def show(self, key_id: str) -> dict[str, Any]:
        """Return what a holder may know of a key, with member names as the contract spells them."""
        content = await self._read(key_id)
        stored, key = content.stored, content.stored.key
        lists = {name: key.get(name, []) for name in ("organizations", "allow", "deny", "referrers")}
        return {
            "id": key_id,
            "plan": key.get("plan", "standard"),
            **lists,
            "routes": key.get("routes"),
            "methods": key.get("methods"),
            "expires": key.get("expires"),
            "created": stored.created,
            "rotated": stored.rotated,
            "lastUsed": None if content.used_s is None else instant_of(content.used_s),
            "secrets": [{"validUntil": each.until} for each in stored.secrets],
        }

    async def rotate(self, key_id: str, overlap_s: float, client: str) -> NewSecret:
        """Make a new secret for a key, whose old ones are valid for `overlap_s` more at most, for `client`."""
        made = secret.create()
        author = KeyAuthor(Actor(f"key {key_id}", client), "keys.rotate", self._gateway)
        for _ in range(_ATTEMPTS):
            before, now_s = await self._read(key_id), self._wall()
            ends = instant_of(ceil(now_s + overlap_s))
            after = rotated(before.stored, secret.digest(made), ends, now_s)
            if len(after.secrets) > MOST_SECRETS:
                raise KeyChangeError("invalid", f"{MOST_SECRETS} secrets of the key are valid; wait until one ends")
            (entry,) = key_entries(author, {key_id: before.stored}, {key_id: after})
            record = record_of(entry, new_record_id(), now_s, self._gateway)
            if await self._store.replace(before, after, record):
                log_record(record)
                return NewSecret(made, ends, [record])
        raise KeyChangeError("conflict", "somebody else changes the key again and again")

    async def _read(self, key_id: str) -> KeyContent:
        content = await self._store.read(key_id)
        if content is None:
            existing(None, key_id)
        assert content is not None
        return content
