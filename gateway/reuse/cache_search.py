"""Names one request for the caches, and remembers where the reply to such a request is kept."""

from collections.abc import Collection
from typing import TypeAlias

from gateway.exchange import Exchange
from gateway.kernel.caching.storage import CacheRules
from gateway.kernel.caching.store import ALL_SCOPES, CacheStore, Entry, EntryKey
from gateway.kernel.memo import Memo
from gateway.reuse.cache_key import is_plain, resource_of, scope_of, variant_of
from gateway.reuse.fetch import Fetched
from gateway.table import Caller, Route

Found: TypeAlias = Memo[tuple[CacheStore, str, str, str, str, Caller], EntryKey]
"""Where a reply is kept, by its store, the URL in its parts, and the caller."""
_LONGEST_FOUND = 256
"""The most characters of a URL that is remembered."""


class CacheSearch:
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

    def remember(self, found: Found, entry: Entry) -> None:
        """Remember where the reply to such a request is kept, if that follows from its URL and its caller alone."""
        x, entry_key = self.x, entry.entry_key
        if entry_key is None or self.rules.vary or entry.freshness.vary or not is_plain(x):
            return
        if len(x.host) + len(x.path) + len(x.query) <= _LONGEST_FOUND:
            found.keep((self.store, x.scheme, x.host, x.path, x.query, self.caller), entry_key)

    def may_use(self, fetched: Fetched) -> bool:
        """Return whether the reply to somebody else's call is also one to this request."""
        entry, entry_key = fetched.entry, fetched.entry_key
        return (
            entry is not None
            and entry_key is not None
            and entry_key.scope in self.scopes
            and entry_key == self.entry_key(entry_key.scope, entry.freshness.vary)
        )
