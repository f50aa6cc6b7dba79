"""Answers from the cache of a route, or calls the service and keeps its reply (RFC 9111, as a shared cache).

Requests that wait for the same reply wait for one call, which no client owns: it goes on while anybody waits for it. A
reply that only its own client may get goes to that client. The others call for themselves, and for some seconds nobody
waits for such a reply.

Law: a reply reaches only those whose names of `cache_key` are the ones under which it is kept.
"""

import asyncio
from collections.abc import Callable, Iterable
from copy import copy

from gateway.exchange import CacheUse, Exchange, Reply
from gateway.kernel.caching.directives import Directives
from gateway.kernel.caching.storage import accepts
from gateway.kernel.caching.store import CacheStore, Entry, EntryKey
from gateway.kernel.clock import Clock
from gateway.kernel.faults import GatewayError
from gateway.kernel.memo import Memo
from gateway.reuse.cache_key import directives_of, is_plain, resource_of
from gateway.reuse.cache_search import CacheSearch, Found
from gateway.reuse.fetch import Fetch, Fetched, Fetcher
from gateway.reuse.kept_reply import conditional, forwarded, hit_of, reply_of
from gateway.table import Caller, Route
from gateway.table.limits import Tariff

_READS = frozenset({"GET", "HEAD"})
_SAFE = _READS | {"OPTIONS"}
_MOST_FOUND = 8192
"""For how many requests is remembered where their reply is."""
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


class ReplyCache:
    """The caches of all routes of a worker, each with a memory of its own.

    `unattended` is called with an exchange whose call was made for the cache alone.
    """

    def __init__(
        self, routes: Iterable[Route], clock: Clock, unattended: Callable[[Exchange], None] = lambda _: None
    ) -> None:
        self.stores: dict[str, CacheStore] = {}
        """By the id of the route."""
        self._found: Found = Memo(_MOST_FOUND)
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

    def at_once(self, x: Exchange, route: Route, caller: Caller) -> Reply | None:
        """Return a fresh reply that such a request has got before, with one look-up; None leaves it to `answer`."""
        store = self.stores.get(route.id)
        if store is None or x.method != "GET" or caller.several or not is_plain(x):
            return None
        entry_key = self._found.get((store, x.scheme, x.host, x.path, x.query, caller))
        entry = None if entry_key is None else store.find(entry_key)
        if entry is None or entry.freshness.vary:
            return None
        now_s = self._clock.monotonic()
        if now_s - entry.born_s >= entry.freshness.lifetime_s:
            return None
        return hit_of(entry, x, route, now_s)

    def tariff(self, x: Exchange, route: Route, caller: Caller) -> Tariff | None:
        """Return what is asked for the reply to `x`: less or more than for others if it is in memory now."""
        hits = None if route.caching is None else route.caching.hit_tariff
        return route.tariff if hits is None or not self._holds(x, route, caller) else hits

    def _holds(self, x: Exchange, route: Route, caller: Caller) -> bool:
        """Return whether `answer` would give a reply from memory to `x` now."""
        rules = None if route.caching is None else route.caching.rules
        request = None if rules is None or x.method not in _READS else directives_of(x, rules)
        if rules is None or request is None:
            return False
        search, now_s = CacheSearch(x, route, caller, rules, self.stores[route.id]), self._clock.monotonic()
        entry = next((found for key in search.entry_keys() if (found := search.store.find(key)) is not None), None)
        if entry is None:
            return False
        age_s, freshness = entry.age_s(now_s), entry.freshness
        return accepts(request, age_s, freshness.lifetime_s) and age_s < freshness.lifetime_s + freshness.revalidate_s

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
        return await self._search(CacheSearch(x, route, caller, rules, self.stores[route.id]), request, fetch)

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

    async def _search(self, search: CacheSearch, request: Directives, fetch: Fetch) -> Reply:
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
        self,
        search: CacheSearch,
        entry: Entry,
        request: Directives,
        entry_keys: list[EntryKey],
        now_s: float,
        fetch: Fetch,
    ) -> tuple[Reply | None, str]:
        """Return the reply from `entry`, None if it may not be used, and why not in the words of Cache-Status."""
        age_s, freshness = entry.age_s(now_s), entry.freshness
        rest_s = freshness.lifetime_s - age_s
        if not accepts(request, age_s, freshness.lifetime_s):
            return None, "request" if rest_s > 0 else "stale"
        if rest_s > 0:
            if search.route.caching is not None and search.route.caching.plain:
                search.remember(self._found, entry)
            return reply_of(entry, search.x, "hit", now_s, f"hit; ttl={int(rest_s)}"), ""
        if -rest_s < freshness.revalidate_s:
            entry_key = next(entry_key for entry_key in entry_keys if search.store.find(entry_key) is entry)
            if (search.store, entry_key) not in self._flights:
                self._start(search, entry_key, entry, fetch, beside=True)
            return reply_of(entry, search.x, "stale", now_s, f"hit; ttl={int(rest_s)}"), ""
        return None, "stale"

    @staticmethod
    def _next(search: CacheSearch, entry_keys: list[EntryKey], now_s: float) -> EntryKey | None:
        """Return the widest key whose reply is worth waiting for and was not waited for yet."""
        for entry_key in entry_keys:
            if entry_key not in search.tried and not search.store.passes(search.resource, entry_key.scope, now_s):
                search.tried.add(entry_key)
                return entry_key
        return None

    def _start(
        self, search: CacheSearch, entry_key: EntryKey, stale: Entry | None, fetch: Fetch, *, beside: bool
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

    def _led(self, search: CacheSearch, fetched: Fetched, why: str) -> Reply:
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

    def _followed(self, search: CacheSearch, fetched: Fetched) -> Reply | None:
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
