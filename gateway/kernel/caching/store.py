"""Kept replies in memory: at most so many bytes of them, the ones that were used last.

Law: the bytes that are accounted are no less than what the entries take, the overhead of Python included.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from gateway.kernel.caching.storage import Freshness
from gateway.kernel.http.response_headers import Line

ENTRY_BYTES = 1800
"""What an entry takes besides its texts: the objects, and its places in the dicts."""
_LINE_BYTES = 160
"""What a header line takes besides its characters: a tuple and two strings."""
_NAME_BYTES = 64
"""What a name takes besides its characters."""
_LARGEST_SHARE = 4
"""An entry takes at most this part of a store, so that one reply does not displace all others."""
_MOST_PASSES = 1024
ALL_SCOPES = b""
"""The scope of what all callers may get."""


class EntryKey(NamedTuple):
    """Where an entry is kept.

    `resource` names the URL, `scope` those who may get it, `variant` the fields that select it. All three are digests.
    """

    resource: bytes
    scope: bytes
    variant: bytes


class Entry(msgspec.Struct):
    """One kept reply. The body is `head`, the id of the request if it is `named`, and `content`.

    `born_s` is a reading of the monotonic clock, from which its age counts. `marks` are those of `screen` in
    kernel/http/response_headers. `entry_key` is where it is, or was, kept. `text` are the header lines as those get
    them who have a key for one organisation, "" until one did. `no_transform`: the service forbids to code the body.
    """

    status: int
    code: int
    fields: tuple[Line, ...]
    head: bytes
    content: bytes
    named: bool
    born_s: float
    marks: int
    freshness: Freshness
    size_bytes: int = 0
    entry_key: EntryKey | None = None
    text: str = ""
    no_transform: bool = False

    def age_s(self, now_s: float) -> float:
        return now_s - self.born_s

    def measure(self) -> int:
        """Set `size_bytes`, and return it."""
        texts = sum([2 * (len(name) + len(value)) + _LINE_BYTES for name, value in self.fields])
        freshness = self.freshness
        values = sum(map(len, (freshness.etag, freshness.last_modified, freshness.control)))
        names = sum([_NAME_BYTES + len(name) for name in (*freshness.vary, *freshness.tags)])
        self.size_bytes = ENTRY_BYTES + len(self.head) + len(self.content) + texts + values + names
        return self.size_bytes


class _Scope(msgspec.Struct):
    """What is kept of one resource for one scope. `vary` are the names by which the newest reply was selected."""

    vary: tuple[str, ...]
    variants: dict[bytes, Entry]


class CacheStore:
    """The entries of one route. `on_eviction` is called for each entry that has to make room."""

    def __init__(self, max_bytes: int, on_eviction: Callable[[], None] = lambda: None) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.generation = 0
        """Changes whenever something is removed on request, so that what was asked for before is not kept after it."""
        self.on_eviction = on_eviction
        self._resources: dict[bytes, dict[bytes, _Scope]] = {}
        self._used: OrderedDict[EntryKey, Entry] = OrderedDict()
        self._passes: OrderedDict[tuple[bytes, bytes], float] = OrderedDict()

    def __repr__(self) -> str:
        return f"<CacheStore {len(self)} entries, {self.bytes} of {self.max_bytes} bytes>"

    def __len__(self) -> int:
        return len(self._used)

    def vary(self, resource: bytes, scope: bytes) -> tuple[str, ...]:
        """Return the names of the fields that select an entry."""
        known = self._resources.get(resource)
        found = None if known is None else known.get(scope)
        return () if found is None else found.vary

    def find(self, entry_key: EntryKey) -> Entry | None:
        entry = self._used.get(entry_key)
        if entry is not None:
            self._used.move_to_end(entry_key)
        return entry

    def put(self, entry_key: EntryKey, entry: Entry) -> bool:
        """Keep `entry`, unless it is too large; return whether it is kept."""
        if entry.measure() > self.max_bytes // _LARGEST_SHARE:
            self.remove(entry_key)
            return False
        self.remove(entry_key)
        scope = self._resources.get(entry_key.resource, {}).get(entry_key.scope)
        if scope is not None and scope.vary != entry.freshness.vary:  # the others would not be found any more
            for variant in list(scope.variants):
                self.remove(entry_key._replace(variant=variant))
            scope = None
        if scope is None:
            scope = _Scope(entry.freshness.vary, {})
            self._resources.setdefault(entry_key.resource, {})[entry_key.scope] = scope
        entry.entry_key = entry_key
        scope.variants[entry_key.variant] = entry
        self._used[entry_key] = entry
        self.bytes += entry.size_bytes
        while self.bytes > self.max_bytes:
            self.remove(next(iter(self._used)))
            self.on_eviction()
        return True

    def remove(self, entry_key: EntryKey) -> None:
        """Remove one entry, if it is there."""
        entry = self._used.pop(entry_key, None)
        if entry is None:
            return
        self.bytes -= entry.size_bytes
        scopes = self._resources[entry_key.resource]
        scope = scopes[entry_key.scope]
        del scope.variants[entry_key.variant]
        if not scope.variants:
            del scopes[entry_key.scope]
            if not scopes:
                del self._resources[entry_key.resource]

    def invalidate(self, resource: bytes) -> int:
        """Remove all that is kept of a resource, for whomever; return the number of entries."""
        self.generation += 1
        scopes = self._resources.get(resource, {})
        return self._remove_all(
            [EntryKey(resource, name, variant) for name, scope in scopes.items() for variant in scope.variants]
        )

    def purge(self, tag: str | None = None) -> int:
        """Remove the entries with that tag, or all; return their number."""
        self.generation += 1
        self._passes.clear()
        return self._remove_all(
            [entry_key for entry_key, entry in self._used.items() if tag is None or tag in entry.freshness.tags]
        )

    def pass_until(self, resource: bytes, scope: bytes, until_s: float) -> None:
        """Remember until when replies of the resource are not worth waiting for, because nobody else may get them."""
        self._passes[resource, scope] = until_s
        if len(self._passes) > _MOST_PASSES:
            self._passes.popitem(last=False)

    def passes(self, resource: bytes, scope: bytes, now_s: float) -> bool:
        """Return whether that is remembered. `now_s` is a reading of the monotonic clock."""
        return bool(self._passes) and self._passes.get((resource, scope), 0.0) > now_s

    def entry_keys(self) -> Iterator[EntryKey]:
        """Yield the keys of all entries, the least recently used one first."""
        yield from self._used

    def _remove_all(self, entry_keys: list[EntryKey]) -> int:
        for entry_key in entry_keys:
            self.remove(entry_key)
        return len(entry_keys)
