"""Keys that are kept in Redis: those in use are remembered here, and forgotten as soon as they are changed there.

A key that is not known is asked for in one round trip, however many requests wait for it, and together with others
(`KeyLookups`). What nobody has is remembered as well, for a while. Whoever keeps trying others is told to wait (`GuessThrottle`), and
what such clients try is looked for beside all else, a command at a time: so neither memory nor Redis belong to who guesses, and
a key that is valid is never held up, whoever else guesses from the same address.
While Redis is away keys that are known go on to work, and others cannot be checked.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

import msgspec
import structlog

from gateway.kernel.clock import Clock
from gateway.kernel.faults import KEY_MISSING, KEY_UNKNOWN, KEY_UNUSABLE, KEYS_UNAVAILABLE, Fault, GatewayError
from gateway.kernel.key_format import is_misspelt
from gateway.keystore.guess_throttle import GuessThrottle
from gateway.keystore.lookups import KeyLookups
from gateway.keystore.reader import KeyStore
from gateway.keystore.records import MOST_BYTES, proof_of_certificate, proof_of_secret
from gateway.redis_client.address import RedisConnectionError
from gateway.settings.checks.stored_keys import References, read_key
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.values import RefusedError
from gateway.table.keyring import Caller, Key, speaking_for

MOST = 10_000
"""Keys that are known, some 3 KB each, and as many that are nobody's; the one that has been the longest makes room."""
UNKNOWN_S = 30.0
"""How long it is remembered that nobody has a proof, unless a change says otherwise."""
MOST_ASKED = 10_000
"""Keys that are asked for at one time, some 2 KB each."""
MOST_DOUBTED = 1000
"""The same of those that come from who guesses."""
COMMANDS = 2
"""Under way at one time: the next one goes out while what the last one found is made up."""
MOST_COMPLAINTS = 1000
"""What has been said of keys that cannot be used, and is not said again."""
USED_EVERY_S = 60.0
"""Uses of a key within that time are one, in what is told of it."""
RESULTS = ("memory", "refused", "found", "unknown", "misspelt", "throttled", "error")
"""What comes of looking for a key: known, known to be nobody's; Redis had it, had it not; never asked; nobody's, from who
guesses; Redis did not answer."""

_LONGEST_ID = 128
_LONGEST_PROBLEM = 500

V = TypeVar("V")


class Counter(Protocol):
    """A counter."""

    def inc(self) -> None: ...


class _Known(msgspec.Struct):
    """`key` is None for one that cannot be used here, whatever its `content` in Redis says. Of an older `era` it has to be asked
    for again. `noted_s`: when its use was."""

    key: Key | None
    content: bytes
    era: int
    noted_s: float


_NEVER = -1
"""The era of what somebody else knew."""


class StoredKeys:
    """The keys of `store`, made by `make` where `references` has what they refer to. `results` counts, by RESULTS."""

    def __init__(
        self,
        store: KeyStore,
        references: References,
        make: Callable[[KeySettings], Key],
        results: Mapping[str, Counter],
        clock: Clock,
        most: int = MOST,
    ) -> None:
        self._store = store
        self._lookups = KeyLookups(store, COMMANDS)
        self._doubted = KeyLookups(store, 1)
        self._references = references
        self._make = make
        self._results = results
        self._monotonic = clock.monotonic
        self._most = most
        self._guesses = GuessThrottle(clock)
        self._known: dict[str, _Known] = {}
        self._inherited: dict[str, bytes] = {}
        self._unknown: dict[str, float] = {}
        self._asked: dict[str, asyncio.Task[_Known | RedisConnectionError | None]] = {}
        self._used: dict[str, float] = {}
        self._complained: dict[str, None] = {}
        self._era = 0

    def __repr__(self) -> str:
        return f"<StoredKeys {len(self._known)} known, {len(self._unknown)} nobody's, {len(self._asked)} asked for>"

    def __len__(self) -> int:
        """How many are known here."""
        return len(self._known)

    def forget(self, proofs: Iterable[str] | None) -> None:
        """These were changed; None: perhaps all were, and each is asked for again before it counts."""
        if proofs is None:
            self._era += 1
            self._unknown.clear()
            self._asked.clear()
            return
        for proof in proofs:
            self._inherited.pop(proof, None)
            known = self._known.pop(proof, None)
            if known is not None and known.key is not None:
                self._used.pop(known.key.id, None)  # it may be gone: what is told of it then would stay for ever
            self._unknown.pop(proof, None)
            self._asked.pop(proof, None)  # who comes now is not told what was so before

    def export(self) -> bytes:
        """What is known, for `adopt` in another process."""
        return msgspec.msgpack.encode(self._inherited | {proof: known.content for proof, known in self._known.items()})

    def adopt(self, legacy: bytes) -> None:
        """Know what another one knew, for as long as Redis does not say otherwise. Raises msgspec.MsgspecError."""
        self._inherited = msgspec.msgpack.decode(legacy, type=dict[str, bytes])

    def take_used(self, most: int) -> dict[str, float]:
        """When keys were used, by id, in seconds of Unix time; each use is told once."""
        taken = dict(islice(self._used.items(), most))
        for key_id in taken:
            del self._used[key_id]
        return taken

    async def named(self, key_id: str) -> Key | None:
        """The key of this id, as Redis has it now; None when there is none that can be used here. Raises KEYS_UNAVAILABLE."""
        try:
            content = await self._store.named(key_id)
        except RedisConnectionError as failure:
            raise GatewayError(KEYS_UNAVAILABLE, cause=f"redis: {failure}") from None
        except msgspec.DecodeError:
            return None
        return None if content is None else self._made(content)

    async def find(self, secret: str, organization: str | None, wall_s: float, client: str) -> Caller:
        """As `Keyring.find`, for a request of the address `client`.

        Raises KEY_UNUSABLE, KEYS_UNAVAILABLE and, for who guesses, RATE_LIMITED besides.
        """
        proof = proof_of_secret(secret)
        known = self._known.get(proof)
        if known is None or known.era != self._era:
            if is_misspelt(secret):
                self._results["misspelt"].inc()
                raise GatewayError(KEY_UNKNOWN)
            known = await self._learn(proof, known, client, KEY_UNKNOWN)
        else:
            self._results["memory"].inc()
        return self._speaking_for(known, organization, wall_s)

    async def certified(self, subject: str, organization: str | None, wall_s: float, client: str) -> Caller:
        """As `Keyring.certified`, and raises what `find` does."""
        proof = proof_of_certificate(subject)
        known = self._known.get(proof)
        if known is None or known.era != self._era:
            known = await self._learn(proof, known, client, KEY_MISSING)
        else:
            self._results["memory"].inc()
        return self._speaking_for(known, organization, wall_s)

    def _speaking_for(self, known: _Known, organization: str | None, wall_s: float) -> Caller:
        if known.key is None:
            raise GatewayError(KEY_UNUSABLE)
        caller = speaking_for(known.key, organization, wall_s)
        if wall_s - known.noted_s >= USED_EVERY_S:
            known.noted_s = self._used[caller.id] = wall_s
        return caller

    async def _learn(self, proof: str, stale: _Known | None, client: str, nobody: Fault) -> _Known:
        """What Redis says. `stale` is what was known, and good enough while Redis is away."""
        doubt = self._undo_if_charged(proof, client, nobody) if stale is None and proof not in self._inherited else None
        lookup = self._asked.get(proof)
        if lookup is None:
            way = self._lookups if doubt is None else self._doubted
            lookup = self._asked[proof] = asyncio.get_running_loop().create_task(self._look_up(proof, way))
            lookup.add_done_callback(partial(self._answered, proof))
        found = await asyncio.shield(lookup)
        if isinstance(found, RedisConnectionError):
            self._results["error"].inc()
            known = stale or self._inherit(proof)
            if known is None:
                raise GatewayError(KEYS_UNAVAILABLE, cause=f"redis: {found}")
            return known
        if found is not None:
            self._results["found"].inc()
            return found
        if doubt is not None:
            self._results["throttled"].inc()
            raise doubt
        self._results["unknown"].inc()
        self._guesses.count(client)
        raise GatewayError(nobody)

    def _inherit(self, proof: str) -> _Known | None:
        content = self._inherited.pop(proof, None)
        if content is None:
            return self._known.get(proof)
        known = _Known(self._made(content), content, _NEVER, 0.0)
        _put(self._known, proof, known, self._most)
        return known

    def _undo_if_charged(self, proof: str, client: str, nobody: Fault) -> GatewayError | None:
        """What is to be raised if nobody has `proof`, because `client` guesses. Raises GatewayError for what is not to be asked for."""
        until_s = self._unknown.get(proof)
        if until_s is not None and self._monotonic() < until_s:
            self._results["refused"].inc()
            raise GatewayError(nobody)
        try:
            self._guesses.refuse(client)
        except GatewayError as wait:
            if proof not in self._asked and len(self._doubted) >= MOST_DOUBTED:
                self._results["throttled"].inc()
                raise
            return wait.with_traceback(None)
        if proof not in self._asked and len(self._asked) >= MOST_ASKED:
            self._results["error"].inc()
            raise GatewayError(KEYS_UNAVAILABLE, cause=f"{MOST_ASKED} keys are being asked for")
        return None

    def _answered(self, proof: str, lookup: "asyncio.Task[_Known | RedisConnectionError | None]") -> None:
        if self._asked.get(proof) is lookup:
            del self._asked[proof]

    async def _look_up(self, proof: str, way: KeyLookups) -> _Known | RedisConnectionError | None:
        """None when nobody has it. It is not remembered when it was to be forgotten meanwhile."""
        era = self._era
        try:
            content = await way.find(proof)
        except RedisConnectionError as failure:
            return failure
        before = self._known.get(proof)
        known = None if content is None else _Known(self._made(content), content, era, before.noted_s if before is not None else 0.0)
        self._inherited.pop(proof, None)
        if self._asked.get(proof) is asyncio.current_task():
            self._known.pop(proof, None)
            if known is None:
                _put(self._unknown, proof, self._monotonic() + UNKNOWN_S, self._most)
            else:
                _put(self._known, proof, known, self._most)
        return known

    def _made(self, content: bytes) -> Key | None:
        """None for a key that says what this gateway does not understand, or names what it does not have."""
        key_id = "?"
        try:
            if len(content) > MOST_BYTES:
                raise RefusedError(f"it is longer than {MOST_BYTES} bytes")
            fields = msgspec.json.decode(content, type=dict[str, object])
            key_id = str(fields.get("id"))[:_LONGEST_ID]
            setting = read_key(fields)
            problem = "; ".join(self._references.wrong(setting))
        except (RefusedError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = str(error)
        else:
            if not problem:
                return self._make(setting)
        problem = problem[:_LONGEST_PROBLEM]
        complaint = f"{key_id}: {problem}"
        if complaint not in self._complained:
            _put(self._complained, complaint, None, MOST_COMPLAINTS)
            structlog.get_logger().error("key unusable", key_id=key_id, problem=problem)
        return None


def _put(into: dict[str, V], name: str, value: V, most: int) -> None:
    if len(into) >= most and name not in into:
        del into[next(iter(into))]
    into[name] = value
