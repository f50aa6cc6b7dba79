"""Answers from the cache of a route, or calls the service and keeps its reply (RFC 9111, as a shared cache).

Requests that wait for the same reply wait for one call, which no client owns: it goes on while anybody waits for it. A
reply that only its own client may get goes to that client. The others call for themselves, and for some seconds nobody
waits for such a reply.

Law: a reply reaches only those whose names of `cache_key` are the ones under which it is kept.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from copy import copy

from gateway.exchange import CacheUse, Exchange, Reply
from gateway.kernel.caching.directives import Directives
from gateway.kernel.caching.storage import CacheRules, accepts
from gateway.kernel.caching.store import ALL_SCOPES, CacheStore, Entry, EntryKey
from gateway.kernel.clock import Clock
from gateway.kernel.faults import GatewayError
from gateway.reuse.cache_key import directives_of, resource_of, scope_of, variant_of
from gateway.reuse.fetch import Fetch, Fetched, Fetcher
from gateway.reuse.kept_reply import conditional, forwarded, reply_of
from gateway.table import Caller, Route

_READS = frozenset({"GET", "HEAD"})
_SAFE = _READS | {"OPTIONS"}
_MOST_ROUNDS = 3
"""How often a request looks for a reply of others before it calls for itself."""


class _Flight:
    """One call for all who wait for it. `x` is the exchange that it is made with.

    `led`: the client that has begun it is still there, and will record it. One `beside` the requests goes on when
    nobody waits for it.
    """

    __slots__ = ("beside", "key", "led", "task", "waiting", "x")

    def __init__(
        self, x: Exchange, key: tuple[CacheStore, EntryKey], task: "asyncio.Task[Fetched]", *, beside: bool
    ) -> None:
        self.x = x
        self.key = key
        self.task = task
        self.waiting = 0
        self.beside = beside
        self.led = not beside


class _Search:
    """The names of one request, and the key of its reply."""

    __slots__ = ("caller", "resource", "route", "rules", "scopes", "store", "tried", "x")

    def __init__(self, x: Exchange, route: Route, caller: Caller, rules: CacheRules, store: CacheStore) -> None:
        self.x, self.route, self.caller, self.rules, self.store = x, route, caller, rules, store
        self.resource = resource_of(x)
        own = scope_of(caller, route, rules)
        self.scopes: tuple[bytes, ...] = (own,) if rules.share != "public" or own == ALL_SCOPES else (ALL_SCOPES, own)
        self.tried: set[EntryKey] = set()

    def entry_key(self, scope: bytes, vary: Collection[str]) -> EntryKey:
        names = sorted({*self.rules.vary, *vary}) if vary or self.rules.vary else ()
        return EntryKey(self.resource, scope, variant_of(self.x, self.caller, self.route, names))

    def entry_keys(self) -> list[EntryKey]:
        """Return where the reply may be, the widest scope first."""
        return [self.entry_key(scope, self.store.vary(self.resource, scope)) for scope in self.scopes]

    def may_use(self, fetched: Fetched) -> bool:
        """Return whether the reply to somebody else's call is also one to this request."""
        entry, entry_key = fetched.entry, fetched.entry_key
        return (
            entry is not None
            and entry_key is not None
            and entry_key.scope in self.scopes
            and entry_key == self.entry_key(entry_key.scope, entry.freshness.vary)
        )


class ReplyCache:
    """The caches of all routes of a worker, each with a memory of its own.

    `unattended` is called with an exchange whose call was made for the cache alone.
    """

    def __init__(
        self, routes: Iterable[Route], clock: Clock, unattended: Callable[[Exchange], None] = lambda _: None
    ) -> None:
        self.stores: dict[str, CacheStore] = {}
        """By the id of the route."""
        self._related: dict[str, list[CacheStore]] = {}
        self._flights: dict[tuple[CacheStore, EntryKey], _Flight] = {}
        self._clock = clock
        self._unattended = unattended
        self._fetcher = Fetcher(clock)
        for route in routes:
            if route.caching is not None and route.caching.rules is not None and route.upstream is not None:
                store = self.stores[route.id] = CacheStore(route.caching.rules.max_bytes)
                self._related.setdefault(route.upstream.id, []).append(store)

    def __repr__(self) -> str:
        return f"<ReplyCache {sum(map(len, self.stores.values()))} entries, {len(self._flights)} calls>"

    async def answer(self, x: Exchange, route: Route, caller: Caller, fetch: Fetch) -> Reply:
        """Return the reply to `x`; `fetch` gets it from the service. Raises what `fetch` raises."""
        rules = None if route.caching is None else route.caching.rules
        if x.method not in _READS:
            reply = await fetch(x, route, caller)
            if x.method not in _SAFE and reply.status < 400:
                self._invalidate(x, route)
            return reply
        if rules is None:
            return await fetch(x, route, caller)
        request = directives_of(x, rules)
        if request is None:
            return forwarded(await fetch(x, route, caller), x, CacheUse("bypass"), "fwd=bypass")
        return await self._search(_Search(x, route, caller, rules, self.stores[route.id]), request, fetch)

    def purge(self, route: str | None, tag: str | None) -> int | None:
        """Remove what is kept of a route, or of all, with that tag or any; return how many replies that were.

        None: no route of that id has a cache.
        """
        stores = list(self.stores.values()) if route is None else [self.stores[route]] if route in self.stores else None
        if stores is None:
            return None
        for key in [key for key in self._flights if key[0] in stores]:
            del self._flights[key]
        return sum([store.purge(tag) for store in stores])

    def _invalidate(self, x: Exchange, route: Route) -> None:
        """Remove what is kept of the URL that `x` has changed (RFC 9111 4.4), on all routes to the same upstream."""
        resource = resource_of(x)
        stores = self._related.get(route.upstream.id, []) if route.upstream is not None else []
        for key in [key for key in self._flights if key[0] in stores and key[1].resource == resource]:
            del self._flights[key]
        for store in stores:
            store.invalidate(resource)

    async def _search(self, search: _Search, request: Directives, fetch: Fetch) -> Reply:
        x, store = search.x, search.store
        why = "uri-miss"
        for _ in range(_MOST_ROUNDS):
            now_s = self._clock.monotonic()
            entry_keys = search.entry_keys()
            entry = next((found for entry_key in entry_keys if (found := store.find(entry_key)) is not None), None)
            if entry is not None:
                kept, why = self._from_memory(search, entry, request, entry_keys, now_s, fetch)
                if kept is not None:
                    return kept
            elif any(store.vary(search.resource, scope) for scope in search.scopes):
                why = "vary-miss"
            if x.method == "HEAD":
                return forwarded(await fetch(x, search.route, search.caller), x, CacheUse("miss"), "fwd=method")
            entry_key = self._next(search, entry_keys, now_s)
            if entry_key is None:
                break
            flight = self._flights.get((store, entry_key))
            if flight is None:
                flight = self._start(search, entry_key, entry, fetch, beside=False)
                return self._led(search, await self._wait(flight, x, led=True), why)
            began_s = now_s
            fetched = await self._wait(flight, x, led=False)
            x.upstream_s = self._clock.monotonic() - began_s
            reply = self._followed(search, fetched)
            if reply is not None:
                return reply
        reply = await fetch(x, search.route, search.caller)
        return conditional(forwarded(reply, x, CacheUse("pass"), f"fwd={why}"), x)

    def _from_memory(
        self, search: _Search, entry: Entry, request: Directives, entry_keys: list[EntryKey], now_s: float, fetch: Fetch
    ) -> tuple[Reply | None, str]:
        """Return the reply from `entry`, None if it may not be used, and why not in the words of Cache-Status."""
        age_s, freshness = entry.age_s(now_s), entry.freshness
        rest_s = freshness.lifetime_s - age_s
        if not accepts(request, age_s, freshness.lifetime_s):
            return None, "request" if rest_s > 0 else "stale"
        if rest_s > 0:
            return reply_of(entry, search.x, "hit", now_s, f"hit; ttl={int(rest_s)}"), ""
        if -rest_s < freshness.revalidate_s:
            entry_key = next(entry_key for entry_key in entry_keys if search.store.find(entry_key) is entry)
            if (search.store, entry_key) not in self._flights:
                self._start(search, entry_key, entry, fetch, beside=True)
            return reply_of(entry, search.x, "stale", now_s, f"hit; ttl={int(rest_s)}"), ""
        return None, "stale"

    @staticmethod
    def _next(search: _Search, entry_keys: list[EntryKey], now_s: float) -> EntryKey | None:
        """Return the widest key whose reply is worth waiting for and was not waited for yet."""
        for entry_key in entry_keys:
            if entry_key not in search.tried and not search.store.passes(search.resource, entry_key.scope, now_s):
                search.tried.add(entry_key)
                return entry_key
        return None

    def _start(
        self, search: _Search, entry_key: EntryKey, stale: Entry | None, fetch: Fetch, *, beside: bool
    ) -> _Flight:
        """Begin the call for `entry_key`. `stale` is what the service may confirm."""
        x = copy(search.x)
        x.method = "GET"  # also for HEAD, which renews what is kept for both

        async def fly() -> Fetched:
            try:
                return await self._fetcher.fetch(x, search, stale, fetch)
            except asyncio.CancelledError:
                if flight.waiting:
                    raise
                return Fetched()  # the task would keep the error, whose traceback leads back to it in a circle
            finally:
                self._land(flight)
                if not flight.led:
                    self._unattended(x)

        task = asyncio.get_running_loop().create_task(fly(), name=f"cache {search.route.id}")
        key = search.store, entry_key
        flight = self._flights[key] = _Flight(x, key, task, beside=beside)
        return flight

    def _land(self, flight: _Flight) -> None:
        """Let nobody wait for a call any more."""
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    async def _wait(self, flight: _Flight, x: Exchange, *, led: bool) -> Fetched:
        """Wait for a call. When the last one leaves who waits for it, it ends."""
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if led:
                flight.led = False
                if flight.task.done() and not flight.task.cancelled():
                    flight.task.result().close()
            if flight.waiting == 1 and not flight.beside:
                self._land(flight)
                flight.task.cancel()
            raise
        finally:
            flight.waiting -= 1
            if led:
                made = flight.x
                x.call, x.answer, x.upstream_s, x.client_s = made.call, made.answer, made.upstream_s, made.client_s

    def _led(self, search: _Search, fetched: Fetched, why: str) -> Reply:
        """Return the reply to the request that has begun the call. Raises its error."""
        x = search.x
        if fetched.error is not None:
            raise fetched.error
        if fetched.reply is not None:
            entry = fetched.entry
            no_transform = entry is not None and entry.freshness.no_transform
            use = CacheUse("miss", 0.0, 0 if x.answer is None else x.answer.marks, no_transform)
            status = f"fwd={why}; stored" if fetched.stored else f"fwd={why}"
            return conditional(forwarded(fetched.reply, x, use, status), x)
        assert fetched.entry is not None
        return reply_of(fetched.entry, x, fetched.result, self._clock.monotonic(), fetched.status)

    def _followed(self, search: _Search, fetched: Fetched) -> Reply | None:
        """Return the reply to a request that has waited for another one's call; None if that is none for it.

        Raises an error that every call would have met.
        """
        error = fetched.error
        if isinstance(error, GatewayError) and error.fault.source == "upstream":
            message, wait_s = error.developer_message, error.retry_after_s
            raise GatewayError(error.fault, developer_message=message, retry_after_s=wait_s, cause=error.cause)
        if not search.may_use(fetched) or fetched.entry is None:
            return None
        return reply_of(fetched.entry, search.x, "collapsed", self._clock.monotonic(), "fwd=uri-miss; collapsed")
