"""API keys in Redis, to be read and changed: each change is whole, and every gateway hears of it."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
import redis

from gateway.keystore.records import CHANGES_KEPT, EVERYTHING, KeyNames, StoredKey

MOST_NAMED = 16
"""Proofs that a change names; gateways ask again for all that they know when it is about more."""
AT_ONCE = 500
"""Fields in one command."""

_decoder = msgspec.json.Decoder(StoredKey)

Decide: TypeAlias = Callable[[dict[str, StoredKey]], Mapping[str, StoredKey | None]]
"""From the keys that there are to what becomes of some: None is the end of one. May be asked again, when somebody else was faster."""


class TakenError(Exception):
    """The secret, or the certificate, of `key_id` is the one of `other` already."""

    def __init__(self, key_id: str, other: str) -> None:
        super().__init__(f"key `{other}` has the same secret or certificate")
        self.key_id = key_id


class UnreadableError(Exception):
    """What Redis has under the id of a key was not written by a registry."""


class KeyRegistry:
    """Asks `client`, the server that has them all. `nonce` makes names that are used once.

    Its methods raise UnreadableError, and what redis-py raises.
    """

    def __init__(self, client: redis.Redis, key_prefix: str, nonce: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        self._client = client
        self._names = KeyNames.of(key_prefix)
        self._nonce = nonce

    def all(self) -> Iterator[StoredKey]:
        """In no order. One that is made or ends meanwhile may be among them or not."""
        seen: set[bytes] = set()
        for key_id, content in self._client.hscan_iter(self._names.ids, count=AT_ONCE):
            if key_id not in seen:
                seen.add(key_id)
                yield self._read(key_id.decode(errors="replace"), content)

    def find(self, key_id: str) -> StoredKey | None:
        content: Any = self._client.hget(self._names.ids, key_id)
        return None if content is None else self._read(key_id, content)

    def used(self, ids: Iterable[str]) -> dict[str, float]:
        """When each was last used, in seconds of Unix time; those that never were are left out."""
        found: dict[str, float] = {}
        for some in _batches(ids):
            times: Any = self._client.hmget(self._names.used, some)
            found.update((key_id, float(time)) for key_id, time in zip(some, times, strict=True) if time is not None)
        return found

    def now_s(self) -> float:
        """Redis's clock, in seconds of Unix time: the same for everybody who edits keys."""
        seconds, micros = self._client.time()
        return seconds + micros / 1e6

    def change(self, ids: Iterable[str], decide: Decide) -> None:
        """Have `decide` say what becomes of the keys of these ids, and do that, all of it or nothing.

        Raises TakenError when a proof of one is another's.
        """
        names, wanted, change = self._names, list(ids), self._nonce().encode()
        sent = False

        def attempt(pipe: Any) -> None:
            nonlocal sent
            if sent and any(entry.split()[0] == change for entry in pipe.lrange(names.changes, 0, -1)):
                return  # it was made, and the reply that says so was lost
            contents = [content for some in _batches(wanted) for content in pipe.hmget(names.ids, some)]
            before = {key_id: self._read(key_id, content) for key_id, content in zip(wanted, contents, strict=True) if content is not None}
            after = decide(before)
            gone = {proof for key_id in after if key_id in before for proof in before[key_id].entries()}
            entries = _entries(after)
            for some in _batches(entries):
                _refuse_taken(entries, some, pipe.hmget(names.proofs, some), after)
            if not after:
                return
            pipe.multi()
            for some in _batches(gone - entries.keys()):
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
            self._tell(pipe, change, gone | entries.keys())
            sent = True

        self._client.transaction(attempt, names.ids, names.proofs)

    def _read(self, key_id: str, content: bytes) -> StoredKey:
        try:
            return _decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            told = f"what Redis has of key `{key_id}` cannot be read ({error}); take it away with HDEL {self._names.ids} {key_id}"
            raise UnreadableError(told) from None

    def _tell(self, pipe: Any, change: bytes, proofs: set[str]) -> None:
        about = [proof.encode() for proof in sorted(proofs)] if len(proofs) <= MOST_NAMED else [EVERYTHING]
        pipe.lpush(self._names.changes, b" ".join([change, *about]))
        pipe.ltrim(self._names.changes, 0, CHANGES_KEPT - 1)
        pipe.publish(self._names.changed, b"")


def _entries(after: Mapping[str, StoredKey | None]) -> dict[str, tuple[str, bytes]]:
    """The id of the key and its entry, by proof. Raises TakenError."""
    found: dict[str, tuple[str, bytes]] = {}
    for key_id, stored in after.items():
        for proof, entry in stored.entries().items() if stored is not None else ():
            if proof in found:
                raise TakenError(key_id, found[proof][0])
            found[proof] = (key_id, entry)
    return found


def _refuse_taken(
    entries: dict[str, tuple[str, bytes]], proofs: list[str], there: list[bytes | None], after: Mapping[str, StoredKey | None]
) -> None:
    for proof, entry in zip(proofs, there, strict=True):
        if entry is not None and (other := msgspec.json.decode(entry)["id"]) not in after:
            raise TakenError(entries[proof][0], other)


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    listed = list(items)
    return (listed[at : at + AT_ONCE] for at in range(0, len(listed), AT_ONCE))
