"""reuse/cache_search.py: the names of one request, and where the reply to it is kept."""

from gateway.exchange import Exchange, Reply
from gateway.kernel.caching.store import ALL_SCOPES, CacheStore, EntryKey
from gateway.kernel.memo import Memo
from gateway.reuse.cache_search import CacheSearch, Found
from gateway.reuse.fetch import Fetched
from gateway.reuse.kept_reply import entry_of
from tests.cached_gateway import ask, cache_rules, caller_of
from tests.samples import route
from tests.unit.reuse.test_kept_reply import FRESHNESS, OTHER_ID


def searching(x: Exchange, share: str = "organization", **rules: object) -> CacheSearch:
    return CacheSearch(x, route(), caller_of("a1", "acme"), cache_rules(share=share, **rules), CacheStore(1 << 20))


def test_the_widest_scope_comes_first() -> None:
    assert [each.scope == ALL_SCOPES for each in searching(ask()).entry_keys()] == [False]
    assert [each.scope == ALL_SCOPES for each in searching(ask(), "public").entry_keys()] == [True, False]


def test_only_a_reply_with_the_same_names_is_of_use() -> None:
    search = searching(ask())
    entry = entry_of(Reply(200, [], b"{}"), OTHER_ID, 0.0, 0, FRESHNESS)
    assert search.may_use(Fetched(entry=entry, entry_key=search.entry_keys()[0]))
    assert not search.may_use(Fetched())
    assert not search.may_use(Fetched(entry=entry, entry_key=EntryKey(b"other", search.scopes[0], b"")))


def test_what_follows_from_more_than_url_and_caller_is_not_remembered() -> None:
    entry = entry_of(Reply(200, [], b"{}"), OTHER_ID, 0.0, 0, FRESHNESS)
    found: Found = Memo(8)
    searching(ask()).remember(found, entry)  # it is not kept
    entry.entry_key = EntryKey(b"a", b"b", b"")
    searching(ask(), vary=("a",)).remember(found, entry)
    searching(ask("a1", ("Cookie", "a=b"))).remember(found, entry)
    searching(ask(query="a" * 300)).remember(found, entry)
    assert not found
    searching(ask()).remember(found, entry)
    assert [*found.values()] == [entry.entry_key]
