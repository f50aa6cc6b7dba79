"""The call of a cache to the service: what it asks, and what is kept of the answer."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Protocol, TypeAlias

import msgspec

from gateway.exchange import CacheResult, Exchange, Reply
from gateway.kernel.caching.storage import FAILED_STATUSES, CacheRules, Freshness, freshness_of
from gateway.kernel.caching.store import ALL_SCOPES, CacheStore, Entry, EntryKey
from gateway.kernel.clock import Clock
from gateway.kernel.faults import GatewayError
from gateway.reuse.kept_reply import entry_of, merged
from gateway.table import Caller, Route

Fetch: TypeAlias = Callable[[Exchange, Route, Caller], Awaitable[Reply]]
"""Sends an exchange to the service and returns the reply. Raises GatewayError."""

_PASS_S = 10.0
"""For how long nobody waits for the reply to somebody else, when it could not be given to others."""
_CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})
_NOT_MODIFIED = 304
_CONFIRMED = "fwd=stale; fwd-status=304"


class Fetched(msgspec.Struct):
    """What came of a call. `reply` is the one to the request that has begun it, and None when `entry` stands for it.

    `entry` is for everybody who has `entry_key`; None for nobody else. `result` and `status` (for Cache-Status) are
    those of a reply from `entry`. `stored`: it is kept.
    """

    reply: Reply | None = None
    entry: Entry | None = None
    entry_key: EntryKey | None = None
    error: Exception | None = None
    result: CacheResult = "miss"
    status: str = ""
    stored: bool = False

    def close(self) -> None:
        """Discard a reply that nobody is there to read."""
        if self.reply is not None and self.reply.stream is not None:
            self.reply.stream.close()


class Search(Protocol):
    """What a call needs to know of the request that begins it."""

    route: Route
    caller: Caller
    rules: CacheRules
    store: CacheStore
    resource: bytes
    scopes: tuple[bytes, ...]

    def entry_key(self, scope: bytes, vary: Collection[str]) -> EntryKey:
        """Return where a reply is kept that is selected by the fields `vary`."""
        ...


class Fetcher:
    """Makes the calls of a cache."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def fetch(self, x: Exchange, search: Search, stale: Entry | None, fetch: Fetch) -> Fetched:
        """Call the service with `x`, a copy of the client's exchange, and keep what may be kept. Raises nothing.

        `stale` is what is kept already; it serves for a while when the service is away.
        """
        generation, began_s = search.store.generation, self._clock.monotonic()
        conditions = [] if stale is None else _conditions(stale.freshness)
        others = [line for line in x.headers.raw if line[0].lower() not in _CONDITIONS]
        x.replace_fields([*others, *conditions])
        try:
            reply = await fetch(x, search.route, search.caller)
        except GatewayError as error:
            if stale is not None and error.fault.source == "upstream" and self._serves(stale):
                return self._instead(stale, "")
            return Fetched(error=error.kept())
        except Exception as bug:
            return Fetched(error=bug)
        answer = x.answer
        assert answer is not None
        if stale is not None and conditions and answer.status == _NOT_MODIFIED:
            return self._renewed(x, search, reply, stale, generation, began_s)
        if stale is not None and reply.status in FAILED_STATUSES and self._serves(stale):
            Fetched(reply).close()
            return self._instead(stale, f"; fwd-status={reply.status}")
        found = None if reply.stream is not None else self._freshness(reply.status, answer.fields, search.rules)
        if found is None:
            self._pass(search, search.scopes)
            if reply.status < 500:
                self._drop(search)
            return Fetched(reply)
        if reply.status < 500:
            self._drop(search)
        entry = entry_of(reply, x.request_id, began_s - found.age_s, answer.marks, found)
        return self._kept(search, Fetched(reply, entry), generation)

    def _serves(self, stale: Entry) -> bool:
        """Return whether a stale entry may be used while the service is away."""
        return stale.age_s(self._clock.monotonic()) < stale.freshness.lifetime_s + stale.freshness.error_s

    @staticmethod
    def _instead(stale: Entry, status: str) -> Fetched:
        """Return what is kept, for those for whom it is kept: others may wait for the same call."""
        return Fetched(entry=stale, entry_key=stale.entry_key, result="stale", status=f"fwd=stale{status}")

    def _freshness(self, status: int, fields: Iterable[tuple[bytes, bytes]], rules: CacheRules) -> Freshness | None:
        return freshness_of(status, fields, rules, self._clock.wall())

    def _renewed(
        self, x: Exchange, search: Search, reply: Reply, stale: Entry, generation: int, began_s: float
    ) -> Fetched:
        """Return the entry that a 304 has confirmed, with the fields that the 304 has changed."""
        answer, old = x.answer, stale.freshness
        assert answer is not None
        named = {name for name, _ in answer.fields}
        kept = [
            (b"etag", old.etag),
            (b"last-modified", old.last_modified),
            (b"cache-tag", ", ".join(old.tags).encode("latin-1")),
            (b"cache-control", b"" if b"expires" in named else old.control),
        ]
        fields = [*answer.fields, *[line for line in kept if line[1] and line[0] not in named]]
        fields.append((b"vary", ", ".join(old.vary).encode("latin-1")))  # a body that was selected by fields stays so
        found = self._freshness(stale.status, fields, search.rules)
        confirmed = merged(stale.fields, reply.fields)
        self._drop(search)
        if found is None:
            entry = msgspec.structs.replace(stale, fields=confirmed, born_s=began_s, text="")
            return Fetched(entry=entry, result="revalidated", status=_CONFIRMED)
        born_s, marks = began_s - found.age_s, stale.marks | answer.marks
        entry = msgspec.structs.replace(
            stale,
            fields=confirmed,
            born_s=born_s,
            marks=marks,
            freshness=found,
            text="",
            no_transform=found.no_transform,
        )
        return self._kept(search, Fetched(entry=entry, result="revalidated", status=_CONFIRMED), generation)

    @staticmethod
    def _drop(search: Search) -> None:
        """Remove what is kept for the request: something newer is known."""
        store = search.store
        for scope in search.scopes:
            store.remove(search.entry_key(scope, store.vary(search.resource, scope)))

    def _kept(self, search: Search, fetched: Fetched, generation: int) -> Fetched:
        """Keep the entry if it may be kept, and nothing was purged meanwhile."""
        entry = fetched.entry
        assert entry is not None
        own = search.scopes[-1]
        scope = ALL_SCOPES if own == ALL_SCOPES or entry.freshness.public else own
        entry_key = fetched.entry_key = search.entry_key(scope, entry.freshness.vary)
        if scope != search.scopes[0]:
            self._pass(search, search.scopes[:1])
        if entry.freshness.kept and search.store.generation == generation:
            fetched.stored = search.store.put(entry_key, entry)
        return fetched

    def _pass(self, search: Search, scopes: Iterable[bytes]) -> None:
        until_s = self._clock.monotonic() + _PASS_S
        for scope in scopes:
            search.store.pass_until(search.resource, scope, until_s)


def _conditions(old: Freshness) -> list[tuple[bytes, bytes]]:
    """Return the fields that ask the service whether a reply has changed."""
    return [
        (name, value)
        for name, value in ((b"If-None-Match", old.etag), (b"If-Modified-Since", old.last_modified))
        if value
    ]
