"""kernel/caching/store.py: a bounded memory of replies."""

import gc
import tracemalloc

import pytest

from gateway.kernel.caching.storage import CacheRules, Freshness, freshness_of
from gateway.kernel.caching.store import ENTRY_BYTES, CacheStore, Entry, EntryKey

RULES = CacheRules(60.0, 1 << 20, (), "organization", 0.0, 0.0)
FIELDS = [(b"cache-control", b"max-age=60"), (b"etag", b'"a"')]


def fresh(vary: bytes = b"", tags: bytes = b"") -> Freshness:
    found = freshness_of(200, [*FIELDS, (b"vary", vary), (b"cache-tag", tags)], RULES, 0.0)
    assert found is not None
    return found


def entry_of(content: bytes = b"{}", vary: bytes = b"", tags: bytes = b"") -> Entry:
    return Entry(
        200,
        0,
        (("Content-Type", "application/json"),),
        b"",
        content,
        named=False,
        born_s=10.0,
        marks=0,
        freshness=fresh(vary, tags),
    )


def entry_key(resource: bytes = b"r", scope: bytes = b"s", variant: bytes = b"v") -> EntryKey:
    return EntryKey(resource, scope, variant)


def test_what_is_put_is_found_and_grows_old() -> None:
    store, entry = CacheStore(1 << 20), entry_of()
    assert store.put(entry_key(), entry)
    assert store.find(entry_key()) is entry
    assert entry.age_s(12.5) == 2.5
    assert store.bytes == entry.size_bytes > ENTRY_BYTES
    assert repr(store) == f"<CacheStore 1 entries, {store.bytes} of {1 << 20} bytes>"
    for other in (entry_key(b"x"), entry_key(scope=b"x"), entry_key(variant=b"x")):
        assert store.find(other) is None


def test_a_newer_reply_takes_the_place_of_the_one_before() -> None:
    store, newer = CacheStore(1 << 20), entry_of(b"[]")
    store.put(entry_key(), entry_of(b"{}" * 100))
    store.put(entry_key(variant=b"w"), entry_of())
    store.put(entry_key(), newer)
    assert (store.find(entry_key()), len(store)) == (newer, 2)
    assert store.bytes == sum(entry.size_bytes for each in list(store.entry_keys()) if (entry := store.find(each)))


def test_another_vary_drops_what_would_not_be_found() -> None:
    store = CacheStore(1 << 20)
    store.put(entry_key(), entry_of(vary=b"Accept"))
    store.put(entry_key(scope=b"other"), entry_of(vary=b"Accept"))
    assert store.vary(b"r", b"s") == ("accept",)
    store.put(entry_key(variant=b"w"), entry_of(vary=b"Origin"))
    assert (store.find(entry_key()), store.vary(b"r", b"s"), store.vary(b"r", b"other")) == (
        None,
        ("origin",),
        ("accept",),
    )
    assert store.vary(b"r", b"unknown") == store.vary(b"unknown", b"s") == ()


def test_the_least_recently_used_make_room() -> None:
    size = entry_of().measure()
    evicted = []
    store = CacheStore(size * 4, lambda: evicted.append(1))
    for number in range(4):
        assert store.put(entry_key(b"%d" % number), entry_of())
    store.find(entry_key(b"0"))
    store.put(entry_key(b"4"), entry_of())
    assert [each.resource for each in store.entry_keys()] == [b"2", b"3", b"0", b"4"]
    assert (store.bytes, len(evicted)) == (size * 4, 1)


def test_one_reply_takes_a_quarter_at_most() -> None:
    store = CacheStore(100_000)
    store.put(entry_key(), entry_of())
    assert not store.put(entry_key(), entry_of(b"x" * 25_000))
    assert (len(store), store.bytes) == (0, 0)


def test_removal_by_resource_by_tag_and_of_everything() -> None:
    store = CacheStore(1 << 20)
    for name, tags in ((b"a", b"x, y"), (b"b", b"y"), (b"c", b"")):
        for scope in (b"s", b"t"):
            store.put(entry_key(name, scope), entry_of(tags=tags))
    before = store.generation
    assert (store.purge("x"), len(store)) == (2, 4)
    assert (store.invalidate(b"b"), store.invalidate(b"nothing"), len(store)) == (2, 0, 2)
    assert store.generation == before + 3
    assert (store.purge(), len(store), store.bytes) == (2, 0, 0)
    store.remove(entry_key())


def test_what_is_not_worth_waiting_for_is_remembered_for_a_while() -> None:
    store = CacheStore(1 << 20)
    assert not store.passes(b"r", b"s", 0.0)
    store.pass_until(b"r", b"s", 5.0)
    assert store.passes(b"r", b"s", 4.0)
    assert not store.passes(b"r", b"s", 5.0)
    assert not store.passes(b"r", b"t", 4.0)
    for number in range(2000):
        store.pass_until(b"%d" % number, b"s", 5.0)
    assert not store.passes(b"r", b"s", 4.0)
    assert store.passes(b"1999", b"s", 4.0)
    store.purge()
    assert not store.passes(b"1999", b"s", 4.0)


@pytest.mark.parametrize("size", [0, 100, 10_000])
def test_entries_take_no_more_than_is_accounted(size: int) -> None:
    count = 500
    store = CacheStore(1 << 30)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            name = number.to_bytes(20, "big")
            found = freshness_of(
                200, [*FIELDS, (b"vary", b"a%d, b" % number), (b"cache-tag", b"t%d" % number)], RULES, 0.0
            )
            assert found is not None
            fields = tuple([(f"X-{number}-{each}", f"value {number} {each}") for each in range(8)])
            store.put(
                EntryKey(name, name[::-1], name * 1),
                Entry(200, 0, fields, b"h" * 14, b"x" * size, named=True, born_s=1.0, marks=0, freshness=found),
            )
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= store.bytes <= taken + count * 2048
