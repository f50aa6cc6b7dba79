"""The cache of keys that are stored in Redis. Keys in use are remembered until they are changed in Redis.

A key that is not known is looked up in one round trip, however many requests wait for it, and together with others
(`KeyLookups`). Unknown keys are remembered as well, for a while. A client that keeps trying unknown keys has to wait
(`GuessThrottle`), and what it tries is looked up apart from all others, one command at a time: so a client that guesses
takes neither memory nor Redis from others, and a valid key never waits because of others that come from the same
address. While Redis is away, known keys still work, and others cannot be checked.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Protocol

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.faults import KEY_MISSING, KEY_UNKNOWN, KEY_UNUSABLE, KEYS_UNAVAILABLE, Fault, GatewayError
from gateway.kernel.key_format import is_misspelt
from gateway.keystore.guess_throttle import GuessThrottle
from gateway.keystore.key_builder import KeyBuilder, put_bounded
from gateway.keystore.lookups import KeyLookups
from gateway.keystore.reader import KeyReader
from gateway.keystore.records import proof_of_certificate, proof_of_secret
from gateway.redis_client.address import RedisConnectionError
from gateway.settings.checks.stored_keys import References
from gateway.settings.schema.access import KeySettings
from gateway.table.keyring import Caller, FoundCaller, Key, speaking_for

MOST = 10_000
"""Known keys, some 3 KB each, and as many proofs of no key; the oldest is dropped for a new one."""
UNKNOWN_S = 30.0
"""The seconds for which it is remembered that no key has a proof, unless a change is reported."""
MOST_ASKED = 10_000
"""Keys that are looked up at one time, some 2 KB each."""
MAX_THROTTLED = 1000
"""The same for clients that guess."""
COMMANDS = 2
"""Commands under way at one time: the next is sent while the keys of the last are built."""
USED_EVERY_S = 60.0
"""Uses of a key within that time are reported as one."""
RESULTS = ("memory", "refused", "found", "unknown", "misspelt", "throttled", "error")
"""Results of finding a key: it is known; it is known not to exist; Redis has it; Redis has it not; it is misspelt, so
Redis is not asked; Redis has it not, and the client guesses; Redis did not answer.
"""


class LookupCounter(Protocol):
    """The counter of one result."""

    def inc(self) -> None:
        """Count one."""
        ...


class _Known(msgspec.Struct):
    """A key. `key` is None for one that cannot be used here, whatever its `content` in Redis is.

    A key of an older `era` has to be looked up again. `noted_s` is when its use was noted last, in seconds of Unix
    time.
    """

    key: Key | None
    content: bytes
    era: int
    noted_s: float


_NEVER = -1
"""The era of keys that another process knew."""


class StoredKeys:
    """The keys of `store`, built by `make` where `references` has all that they refer to.

    `results` counts, by RESULTS.
    """

    def __init__(
        self,
        store: KeyReader,
        references: References,
        make: Callable[[KeySettings], Key],
        results: Mapping[str, LookupCounter],
        clock: Clock,
        most: int = MOST,
    ) -> None:
        self._store = store
        self._lookups = KeyLookups(store, COMMANDS)
        self._throttled_lookups = KeyLookups(store, 1)
        self._builder = KeyBuilder(references, make)
        self._results = results
        self._monotonic = clock.monotonic
        self._most = most
        self._throttle = GuessThrottle(clock)
        self._known: dict[str, _Known] = {}
        self._inherited: dict[str, bytes] = {}
        self._unknown: dict[str, float] = {}
        self._pending: dict[str, asyncio.Task[_Known | RedisConnectionError | None]] = {}
        self._used: dict[str, float] = {}
        self._era = 0

    def __repr__(self) -> str:
        return f"<StoredKeys {len(self._known)} known, {len(self._unknown)} nobody's, {len(self._pending)} asked for>"

    def __len__(self) -> int:
        """Return how many keys are known."""
        return len(self._known)

    def forget(self, proofs: Iterable[str] | None) -> None:
        """Forget the keys of these proofs, which were changed.

        With None any may be: each is looked up again before it counts.
        """
        if proofs is None:
            self._era += 1
            self._unknown.clear()
            self._pending.clear()
            return
        for proof in proofs:
            self._inherited.pop(proof, None)
            known = self._known.pop(proof, None)
            if known is not None and known.key is not None:
                self._used.pop(known.key.id, None)  # it may not exist any more: its use would stay in Redis for ever
            self._unknown.pop(proof, None)
            self._pending.pop(proof, None)  # requests from now on do not get what was true before

    def export(self) -> bytes:
        """Return all keys that are known, for `adopt` in another process."""
        return msgspec.msgpack.encode(self._inherited | {proof: known.content for proof, known in self._known.items()})

    def adopt(self, exported: bytes) -> None:
        """Use what another process knew, for as long as Redis does not answer. Raises msgspec.MsgspecError."""
        self._inherited = msgspec.msgpack.decode(exported, type=dict[str, bytes])

    def take_used(self, most: int) -> dict[str, float]:
        """Return when keys were used, by id, in seconds of Unix time; each use is returned once."""
        used = dict(islice(self._used.items(), most))
        for key_id in used:
            del self._used[key_id]
        return used

    async def named(self, key_id: str) -> Key | None:
        """Return the key of this id, as Redis has it at present; None when there is none that can be used.

        Raises KEYS_UNAVAILABLE.
        """
        try:
            content = await self._store.named(key_id)
        except RedisConnectionError as failure:
            raise GatewayError(KEYS_UNAVAILABLE, cause=f"redis: {failure}") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return None if content is None else self._builder.build(content)

    async def find(
        self, secret: str, organization: str | None, wall_s: float, client: str, digest: bytes = b""
    ) -> FoundCaller:
        """See `Keyring.find`, for a request from the address `client`.

        Refusals are KEY_UNUSABLE, KEYS_UNAVAILABLE and, for a client that guesses, RATE_LIMITED besides.
        """
        proof = digest.hex() or proof_of_secret(secret)
        known = self._known.get(proof)
        if known is None or known.era != self._era:
            if is_misspelt(secret):
                self._results["misspelt"].inc()
                return GatewayError(KEY_UNKNOWN)
            learnt = await self._learn(proof, known, client, KEY_UNKNOWN)
            return self._speaking_for(learnt, organization, wall_s)
        self._results["memory"].inc()
        return self._speaking_for(known, organization, wall_s)

    async def certified(self, subject: str, organization: str | None, wall_s: float, client: str) -> FoundCaller:
        """See `Keyring.certified`; refuses what `find` does."""
        proof = proof_of_certificate(subject)
        known = self._known.get(proof)
        if known is None or known.era != self._era:
            learnt = await self._learn(proof, known, client, KEY_MISSING)
            return self._speaking_for(learnt, organization, wall_s)
        self._results["memory"].inc()
        return self._speaking_for(known, organization, wall_s)

    def _speaking_for(self, known: _Known | GatewayError, organization: str | None, wall_s: float) -> FoundCaller:
        if isinstance(known, GatewayError):
            return known
        if known.key is None:
            return GatewayError(KEY_UNUSABLE)
        caller = speaking_for(known.key, organization, wall_s)
        if isinstance(caller, Caller) and wall_s - known.noted_s >= USED_EVERY_S:
            known.noted_s = self._used[caller.id] = wall_s
        return caller

    async def _learn(self, proof: str, stale: _Known | None, client: str, nobody: Fault) -> _Known | GatewayError:
        """Return what Redis has, or why it is not used.

        `stale` is what was known, and is used while Redis is away. `nobody` is the refusal when there is no key.
        """
        throttled = None
        if stale is None and proof not in self._inherited:
            until_s = self._unknown.get(proof)
            if until_s is not None and self._monotonic() < until_s:
                self._results["refused"].inc()
                return GatewayError(nobody)
            throttled = self._throttle.refusal(client)
            if proof not in self._pending and (crowded := self._crowded(throttled)) is not None:
                return crowded
        lookup = self._pending.get(proof)
        if lookup is None:
            lookups = self._lookups if throttled is None else self._throttled_lookups
            lookup = self._pending[proof] = asyncio.get_running_loop().create_task(self._look_up(proof, lookups))
            lookup.add_done_callback(partial(self._answered, proof))
        found = await asyncio.shield(lookup)
        if isinstance(found, RedisConnectionError):
            self._results["error"].inc()
            known = stale or self._inherit(proof)
            if known is None:
                return GatewayError(KEYS_UNAVAILABLE, cause=f"redis: {found}")
            return known
        if found is not None:
            self._results["found"].inc()
            return found
        if throttled is not None:
            self._results["throttled"].inc()
            return throttled
        self._results["unknown"].inc()
        self._throttle.count(client)
        return GatewayError(nobody)

    def _inherit(self, proof: str) -> _Known | None:
        content = self._inherited.pop(proof, None)
        if content is None:
            return self._known.get(proof)
        known = _Known(self._builder.build(content), content, _NEVER, 0.0)
        put_bounded(self._known, proof, known, self._most)
        return known

    def _crowded(self, throttled: GatewayError | None) -> GatewayError | None:
        """Return why no further proof is looked up now, None if it is. `throttled` is set for a client that guesses."""
        if throttled is not None:
            if len(self._throttled_lookups) < MAX_THROTTLED:
                return None
            self._results["throttled"].inc()
            return throttled
        if len(self._pending) >= MOST_ASKED:
            self._results["error"].inc()
            return GatewayError(KEYS_UNAVAILABLE, cause=f"{MOST_ASKED} keys are being asked for")
        return None

    def _answered(self, proof: str, lookup: "asyncio.Task[_Known | RedisConnectionError | None]") -> None:
        if self._pending.get(proof) is lookup:
            del self._pending[proof]

    async def _look_up(self, proof: str, lookups: KeyLookups) -> _Known | RedisConnectionError | None:
        """Return None when no key has the proof. The result is not remembered when it was to be forgotten meanwhile."""
        era = self._era
        try:
            content = await lookups.find(proof)
        except RedisConnectionError as failure:
            return failure
        before = self._known.get(proof)
        noted_s = 0.0 if before is None else before.noted_s
        known = None if content is None else _Known(self._builder.build(content), content, era, noted_s)
        self._inherited.pop(proof, None)
        if self._pending.get(proof) is asyncio.current_task():
            self._known.pop(proof, None)
            if known is None:
                put_bounded(self._unknown, proof, self._monotonic() + UNKNOWN_S, self._most)
            else:
                put_bounded(self._known, proof, known, self._most)
        return known
