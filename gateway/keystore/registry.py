"""Reads and changes API keys in Redis. Each change is one transaction, of which every gateway is notified."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import redis

from gateway.audit.records import AuditRecord, record_of
from gateway.audit.redis_stream import add_record
from gateway.audit.trail import new_record_id
from gateway.keystore.key_audit import KeyAuthor, key_entries
from gateway.keystore.records import CHANGES_KEPT, EVERYTHING, KeyNames, StoredKey

MAX_NAMED = 16
"""Proofs that a change names; for more, gateways look up all keys again."""
BATCH = 500
"""Fields in one command."""

_decoder = msgspec.json.Decoder(StoredKey)

Decide: TypeAlias = Callable[[dict[str, StoredKey]], Mapping[str, StoredKey | None]]
"""Returns the changed keys for the present ones; None deletes a key.

It is called again when another change came in between.
"""


class DuplicateProofError(Exception):
    """The secret or certificate of `key_id` is that of the key `other` already."""

    def __init__(self, key_id: str, other: str) -> None:
        super().__init__(f"key `{other}` has the same secret or certificate")
        self.key_id = key_id


class UnreadableError(Exception):
    """What Redis has under the id of a key was not written by a KeyRegistry."""


class KeyRegistry:
    """Uses `client`, of the server that has the keys. `nonce` makes unique names.

    Its methods raise UnreadableError, and what redis-py raises.
    """

    def __init__(
        self, client: redis.Redis, key_prefix: str, nonce: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._client = client
        self._key_prefix = key_prefix
        self._names = KeyNames.of(key_prefix)
        self._nonce = nonce

    def all(self) -> Iterator[StoredKey]:
        """Yield all keys, in no order. A key that is created or deleted meanwhile may be among them or not."""
        seen: set[bytes] = set()
        for key_id, content in self._client.hscan_iter(self._names.ids, count=BATCH):
            if key_id not in seen:
                seen.add(key_id)
                yield self._read(key_id.decode(errors="replace"), content)

    def find(self, key_id: str) -> StoredKey | None:
        """Return the key of this id, None when there is none."""
        content: Any = self._client.hget(self._names.ids, key_id)
        return None if content is None else self._read(key_id, content)

    def used(self, ids: Iterable[str]) -> dict[str, float]:
        """Return when each key was last used, in seconds of Unix time, without those that never were."""
        found: dict[str, float] = {}
        for some in _batches(ids):
            times: Any = self._client.hmget(self._names.used, some)
            found.update((key_id, float(time)) for key_id, time in zip(some, times, strict=True) if time is not None)
        return found

    def now_s(self) -> float:
        """Return Redis's clock, in seconds of Unix time: the same for everybody who edits keys."""
        seconds, micros = self._client.time()
        return seconds + micros / 1e6

    def change(self, ids: Iterable[str], decide: Decide, author: KeyAuthor | None = None) -> Sequence[AuditRecord]:
        """Pass the keys of these ids to `decide`, and make the changes that it returns, all or none.

        The same transaction records in the audit trail that `author` made them; None leaves them out of it. Returns
        these records. Raises DuplicateProofError when a proof of one key is another's.
        """
        names, wanted, change = self._names, list(ids), self._nonce().encode()
        sent, now_s = False, 0.0 if author is None else self.now_s()
        records: list[AuditRecord] = []

        def attempt(pipe: Any) -> None:
            nonlocal sent
            if sent and any(entry.split()[0] == change for entry in pipe.lrange(names.changes, 0, -1)):
                return  # it was made, and the reply was lost
            contents = [content for some in _batches(wanted) for content in pipe.hmget(names.ids, some)]
            before = {
                key_id: self._read(key_id, content)
                for key_id, content in zip(wanted, contents, strict=True)
                if content is not None
            }
            after = decide(before)
            removed = {proof for key_id in after if key_id in before for proof in before[key_id].entries()}
            entries = _entries(after)
            for some in _batches(entries):
                _check_unique(entries, some, pipe.hmget(names.proofs, some), after)
            if not after:
                return
            pipe.multi()
            for some in _batches(removed - entries.keys()):
                pipe.hdel(names.proofs, *some)
            for some in _batches(entries):
                pipe.hset(names.proofs, mapping={proof: entries[proof][1] for proof in some})
            for some in _batches(after):
                ended = [key_id for key_id in some if after[key_id] is None]
                unused = [key_id for key_id in some if after[key_id] is None or key_id not in before]
                kept = {key_id: msgspec.json.encode(stored) for key_id in some if (stored := after[key_id]) is not None}
                if ended:
                    pipe.hdel(names.ids, *ended)
                if unused:
                    pipe.hdel(names.used, *unused)
                if kept:
                    pipe.hset(names.ids, mapping=kept)
            self._announce(pipe, change, removed | entries.keys())
            if author is not None:
                made = key_entries(author, before, after)
                records[:] = [record_of(entry, new_record_id(), now_s, author.gateway) for entry in made]
            for record in records:
                add_record(pipe, self._key_prefix, record)
            sent = True

        self._client.transaction(attempt, names.ids, names.proofs)
        return records

    def _read(self, key_id: str, content: bytes) -> StoredKey:
        try:
            return _decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = (
                f"what Redis has of key `{key_id}` cannot be read ({error}); take it away with HDEL "
                f"{self._names.ids} {key_id}"
            )
            raise UnreadableError(problem) from None

    def _announce(self, pipe: Any, change: bytes, proofs: set[str]) -> None:
        about = [proof.encode() for proof in sorted(proofs)] if len(proofs) <= MAX_NAMED else [EVERYTHING]
        pipe.lpush(self._names.changes, b" ".join([change, *about]))
        pipe.ltrim(self._names.changes, 0, CHANGES_KEPT - 1)
        pipe.publish(self._names.changed, b"")


def _entries(after: Mapping[str, StoredKey | None]) -> dict[str, tuple[str, bytes]]:
    """Return the id of the key and its entry, by proof. Raises DuplicateProofError."""
    found: dict[str, tuple[str, bytes]] = {}
    for key_id, stored in after.items():
        for proof, entry in stored.entries().items() if stored is not None else ():
            if proof in found:
                raise DuplicateProofError(key_id, found[proof][0])
            found[proof] = (key_id, entry)
    return found


def _check_unique(
    entries: dict[str, tuple[str, bytes]],
    proofs: list[str],
    stored: list[bytes | None],
    after: Mapping[str, StoredKey | None],
) -> None:
    for proof, entry in zip(proofs, stored, strict=True):
        if entry is not None and (other := msgspec.json.decode(entry)["id"]) not in after:
            raise DuplicateProofError(entries[proof][0], other)


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    listed = list(items)
    return (listed[at : at + BATCH] for at in range(0, len(listed), BATCH))
