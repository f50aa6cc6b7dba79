"""reuse/cache.py: replies that are found with one look-up, and what a reply from memory costs."""

from gateway.exchange import Exchange
from gateway.table.limits import Tariff
from gateway.table.routes import Caching
from tests.cached_gateway import FRESH, CachedService, Time, ask, cache_rules, cached_gateway, got, number_of, numbers
from tests.samples import route


async def test_what_was_found_once_is_found_with_one_look_up() -> None:
    time, service = Time(), CachedService(FRESH)
    one = cached_gateway(route(upstream=service, caching=Caching(cache_rules(), plain=True)), time=time)
    (taken,) = one.table.routes
    first = ask()
    assert number_of(await got(one, first)) == 1
    caller = first.caller
    assert caller is not None
    for found in (False, True):
        assert (one.cache.at_once(ask(), taken, caller) is not None) is found
        await got(one, ask())
    x = ask()
    assert number_of(await got(one, x)) == 1
    assert x.cache is not None
    assert x.cache.result == "hit"
    for other in (
        ask(method="HEAD"),
        ask("a1", ("Cache-Control", "no-cache")),
        ask("a1", ("Cookie", "a=b")),
        ask("a1", ("Authorization", "b")),
        ask("a1", ("X_Strange", "1")),
        ask(path="/v1/other"),
        ask(query="a=1"),
        ask(host="other"),
        ask(trusted_peer=True),
        ask(certificate_subject="CN=a"),
    ):
        assert one.cache.at_once(other, taken, caller) is None
    assert number_of(await got(one, ask("b1"))) == 2
    time.now_s += 61
    assert one.cache.at_once(ask(), taken, caller) is None
    service.fields = [FRESH, (b"vary", b"Accept-Language")]
    assert await numbers(one, [ask(), ask("a1", ("Accept-Language", "de")), ask()]) == [3, 4, 3]
    assert one.cache.at_once(ask(), taken, caller) is None
    one.cache.purge(None, None)
    assert number_of(await got(one, ask())) == 5


async def test_urls_that_are_long_are_not_remembered() -> None:
    one = cached_gateway(route(upstream=CachedService(FRESH), caching=Caching(cache_rules(), plain=True)))
    (taken,) = one.table.routes
    x = ask(query="a" * 300)
    for each in (x, ask(query="a" * 300), ask(query="a" * 300)):
        assert number_of(await got(one, each)) == 1
    assert x.caller is not None
    assert one.cache.at_once(ask(query="a" * 300), taken, x.caller) is None


async def test_a_reply_from_memory_may_cost_something_else() -> None:
    time = Time()
    service = CachedService(FRESH)
    hits = Tariff({"GET": 0, "HEAD": 0}, {"GET": (), "HEAD": ()})
    rules = cache_rules(stale_while_revalidate_s=10.0)
    one = cached_gateway(route(upstream=service, caching=Caching(rules, hits)), time=time)

    async def cost(x: Exchange) -> int:
        await got(one, x)
        assert x.claim is not None
        return x.claim.cost

    costs = [await cost(ask()), await cost(ask()), await cost(ask(method="HEAD")), await cost(ask("b1"))]
    assert costs == [1, 0, 0, 1]
    assert await cost(ask("a1", ("Cache-Control", "no-cache"))) == 1
    assert await cost(ask("a1", ("Cache-Control", "no-store"))) == 1
    assert await cost(ask(method="DELETE")) == 1
    await got(one, ask())
    time.now_s += 65
    assert await cost(ask()) == 0
    time.now_s += 200
    assert await cost(ask()) == 1
