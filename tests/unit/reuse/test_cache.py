"""reuse/cache.py: who is answered from the cache, and who waits for whose call."""

import asyncio

import msgspec
import pytest

from gateway.kernel.faults import UPSTREAM_TIMEOUT, GatewayError
from gateway.kernel.http.response_headers import FieldRules
from gateway.table import Envelope
from gateway.table.public_urls import UrlMapping
from gateway.table.routes import Caching
from tests.cached_gateway import (
    FRESH,
    PUBLIC,
    CachedService,
    Time,
    ask,
    built,
    cache_rules,
    cached_gateway,
    cached_route,
    got,
    number_of,
    numbers,
    status_of,
)
from tests.fakes import turn, until
from tests.in_memory_gateway import Client
from tests.samples import route


async def test_a_kept_reply_has_an_id_of_its_own_and_an_age() -> None:
    time = Time()
    one, service = built(FRESH, (b"etag", b'"a"'), time=time)
    first = await got(one, ask())
    time.now_s += 2.5
    x = ask()
    second = await got(one, x)
    assert [number_of(each) for each in (first, second)] == [1, 1]
    assert msgspec.json.decode(second.body)["requestId"] == x.request_id == dict(second.fields)["X-Request-Id"]
    assert msgspec.json.decode(first.body)["requestId"] != x.request_id
    assert (dict(second.fields)["Age"], dict(second.fields)["ETag"]) == ("2", 'W/"a"')
    assert [status_of(each) for each in (first, second)] == ["fwd=uri-miss; stored", "hit; ttl=57"]
    assert x.cache is not None
    assert (x.cache.result, x.answer, x.upstream_s) == ("hit", None, 0.0)
    time.now_s += 57.5
    third = await got(one, ask())
    assert (number_of(third), status_of(third), len(service.calls)) == (2, "fwd=stale; stored", 2)
    assert repr(one.cache) == "<ReplyCache 1 entries, 0 calls>"


async def test_the_age_of_a_reply_counts_from_where_it_was_made() -> None:
    time = Time()
    one, _ = built(FRESH, (b"age", b"50"), time=time)
    await got(one, ask())
    time.now_s += 9
    assert dict((await got(one, ask())).fields)["Age"] == "59"
    time.now_s += 1
    assert status_of(await got(one, ask())).startswith("fwd=stale")


async def test_organisations_and_keys_and_what_is_public() -> None:
    one, _ = built(PUBLIC)
    assert await numbers(one, [ask(key) for key in ("a1", "a2", "b1", "b1", "none", "none", "a1")]) == [
        1,
        1,
        2,
        2,
        3,
        3,
        1,
    ]
    one, _ = built(PUBLIC, share="key")
    assert await numbers(one, [ask(key) for key in ("a1", "a2", "a1", "a2", "b1")]) == [1, 2, 1, 2, 3]
    one, _ = built(PUBLIC, share="public")
    assert await numbers(one, [ask(key) for key in ("a1", "a2", "b1", "none")]) == [1, 1, 1, 1]
    one, _ = built(FRESH, share="public")
    assert await numbers(one, [ask(key) for key in ("a1", "a2", "b1", "none", "b1")]) == [1, 1, 2, 3, 2]


async def test_what_was_public_and_is_not_any_more_leaves_nothing_behind() -> None:
    time = Time()
    one, service = built(PUBLIC, time=time, share="public", stale_if_error_s=1000.0)
    await got(one, ask())
    time.now_s += 61
    service.fields = [(b"cache-control", b"private")]
    assert await numbers(one, [ask("a1"), ask("b1")]) == [2, 3]
    service.error = GatewayError(UPSTREAM_TIMEOUT)
    assert [(await got(one, ask(key))).status for key in ("a1", "b1")] == [503, 503]


async def test_routes_without_keys_share_with_everybody() -> None:
    service = CachedService(FRESH)
    one = cached_gateway(cached_route(service, cache_rules(share="public"), open=True))
    assert await numbers(one, [ask(client=client) for client in ("192.0.2.1", "192.0.2.2")]) == [1, 1]


async def test_fields_select_a_reply() -> None:
    one, service = built(FRESH, (b"vary", b"Accept-Language, Accept-Encoding"))
    exchanges = [ask("a1", ("Accept-Language", "de"), ("Accept-Encoding", coding)) for coding in ("gzip", "br")]
    assert await numbers(one, exchanges) == [1, 1]
    other = await got(one, ask("a1", ("Accept-Language", "en")))
    assert (number_of(other), status_of(other)) == (2, "fwd=vary-miss; stored")
    assert await numbers(one, [ask(), ask("a1", ("Accept-Language", "de")), ask("a1", ("Accept-Language", "en"))]) == [
        3,
        1,
        2,
    ]
    service.fields = [FRESH, (b"vary", b"*")]
    assert await numbers(one, [ask("a1", ("Accept-Language", "fr"))] * 1 + [ask("a1", ("Accept-Language", "fr"))]) == [
        4,
        5,
    ]


async def test_fields_of_the_route_select_a_reply() -> None:
    one, _ = built(FRESH, vary=("authorization", "x-tenant"))
    exchanges = [ask("a1", *fields) for fields in ([("X-Tenant", "1")], [("X-Tenant", "2")], [("Authorization", "b")])]
    assert await numbers(one, [*exchanges, *[ask("a1", ("X-Tenant", "1")), ask("a1", ("Authorization", "b"))]]) == [
        1,
        2,
        3,
        1,
        3,
    ]


@pytest.mark.parametrize(
    "fields",
    [
        [("Authorization", "Basic x")],
        [("Cookie", "a=b")],
        [("Range", "bytes=0-1")],
        [("If-Match", '"a"')],
        [("Cache-Control", "no-store")],
        [("X_Tenant", "1")],
    ],
)
async def test_requests_that_are_not_answered_from_the_cache(fields: list[tuple[str, str]]) -> None:
    one, _ = built(FRESH)
    await got(one, ask())
    x = ask("a1", *fields)
    reply = await got(one, x)
    assert (number_of(reply), status_of(reply)) == (2, "fwd=bypass")
    assert x.cache is not None
    assert x.cache.result == "bypass"
    assert await numbers(one, [ask()]) == [1]


async def test_what_a_client_asks_of_the_cache() -> None:
    time = Time()
    one, _ = built(FRESH, time=time)
    await got(one, ask())
    time.now_s += 20
    for control, wanted in (("max-age=20", 1), ("min-fresh=40", 1), ("max-age=19", 2), ("no-cache", 3)):
        reply = await got(one, ask("a1", ("Cache-Control", control)))
        assert number_of(reply) == wanted
        assert status_of(reply) == ("hit; ttl=40" if wanted == 1 else "fwd=request; stored")
    assert await numbers(one, [ask()]) == [3]
    time.now_s += 60
    assert status_of(await got(one, ask("a1", ("Cache-Control", "no-cache")))) == "fwd=stale; stored"


async def test_head_has_the_fields_of_what_is_kept() -> None:
    time = Time()
    one, service = built(FRESH, time=time, stale_while_revalidate_s=5.0)
    before = await got(one, ask(method="HEAD"))
    assert (status_of(before), len(service.calls)) == ("fwd=method", 1)
    kept = await got(one, ask())
    after = await got(one, ask(method="HEAD"))
    assert (after.body, after.length, status_of(after)) == (b"", len(kept.body), "hit; ttl=60")
    time.now_s += 61
    stale = await got(one, ask(method="HEAD"))
    assert status_of(stale) == "hit; ttl=-1"
    await until(lambda: len(service.calls) == 3)
    assert service.calls[-1].method == b"GET"
    await turn()
    assert number_of(await got(one, ask())) == 3


async def test_clients_that_have_it_already_learn_it() -> None:
    one, _ = built(FRESH, (b"etag", b'"a"'), (b"last-modified", b"Tue, 14 Nov 2023 22:13:20 GMT"))
    for condition in (("If-None-Match", 'W/"a"'), ("If-Modified-Since", "Tue, 14 Nov 2023 22:13:20 GMT")):
        for wanted in ("fwd=uri-miss; stored", "hit; ttl=60"):
            reply = await got(one, ask("a1", condition))
            assert (reply.status, reply.body, status_of(reply)) == (304, b"", wanted)
            fields = dict(reply.fields)
            assert ("Content-Type" in fields, fields["ETag"], fields["Cache-Control"]) == (False, 'W/"a"', "max-age=60")
        one.cache.purge(None, None)
    assert (await got(one, ask("a1", ("If-None-Match", '"b"')))).status == 200


async def test_a_large_reply_is_not_copied() -> None:
    one, service = built(FRESH)
    service.body = b"[" + b"1," * 50_000 + b"1]"
    first, second = await got(one, ask()), await got(one, ask())
    assert first.body.partition(b",")[2] == second.body.partition(b",")[2]
    client = Client()
    await one.handle(ask(), client.send)
    assert len(client.replies[0].body) == 50
    assert client.replies[0].length == len(second.body)


async def test_a_passthrough_route_keeps_the_bytes() -> None:
    service = CachedService(FRESH, (b"vary", b"Accept-Encoding"))
    one = cached_gateway(cached_route(service, envelope=Envelope("passthrough", 1 << 20, "passthrough")))
    exchanges = [ask("a1", ("Accept-Encoding", coding)) for coding in ("gzip", "br", "gzip")]
    assert [(await got(one, x)).body for x in exchanges] == [b'{"call":1}', b'{"call":2}', b'{"call":1}']


async def test_a_purge_reaches_what_is_under_way() -> None:
    one, service = built(FRESH, (b"cache-tag", b"x"))
    assert (one.cache.purge("orders", None), one.cache.purge("nothing", None)) == (0, None)
    service.opened.clear()
    before = asyncio.ensure_future(got(one, ask()))
    await until(lambda: bool(service.calls))
    assert one.cache.purge("orders", None) == 0
    after = asyncio.ensure_future(got(one, ask()))
    await until(lambda: len(service.calls) == 2)
    service.opened.set()
    assert (number_of(await before), number_of(await after)) == (1, 2)
    assert await numbers(one, [ask()]) == [2]
    assert (one.cache.purge(None, "y"), one.cache.purge(None, "x")) == (0, 1)


async def test_a_change_makes_all_forget() -> None:
    service = CachedService(FRESH)
    one = cached_gateway(
        cached_route(service, methods=("GET",)),
        cached_route(service, None, id="changes", methods=("POST", "OPTIONS", "DELETE")),
        cached_route(service, None, id="others", pattern="/v1/others"),
    )
    assert await numbers(one, [ask(), ask("b1"), ask(path="/v1/others"), ask(path="/v1/others")]) == [1, 2, 3, 4]
    await got(one, ask(method="OPTIONS"))
    assert await numbers(one, [ask()]) == [1]
    service.status = 409
    await got(one, ask(method="POST"))
    assert await numbers(one, [ask()]) == [1]
    service.status = 201
    service.opened.clear()
    change = asyncio.ensure_future(got(one, ask(method="POST")))
    await until(lambda: len(service.calls) == 7)
    service.opened.set()
    await change
    service.status = 200
    assert await numbers(one, [ask(), ask("b1")]) == [8, 9]


async def test_a_change_reaches_what_is_under_way() -> None:
    one, service = built(FRESH)
    service.opened.clear()
    before = asyncio.ensure_future(got(one, ask()))
    await until(lambda: bool(service.calls))
    change = asyncio.ensure_future(got(one, ask(method="POST")))
    await until(lambda: len(service.calls) == 2)
    service.opened.set()
    await asyncio.gather(before, change)
    assert await numbers(one, [ask()]) == [3]


async def test_replies_to_keys_stay_private_to_other_caches() -> None:
    service = CachedService((b"cache-control", b"public, s-maxage=60"), (b"vary", b"Accept"))
    private = (("Vary", "X-Api-Key"), ("Cache-Control", "private"))
    one = cached_gateway(cached_route(service, privacy=private, response_rules=FieldRules()))
    for _ in range(2):
        fields = dict((await got(one, ask())).fields)
        assert (fields["Vary"], fields["Cache-Control"]) == ("Accept, X-Api-Key", "public, s-maxage=60")


async def test_a_route_without_a_cache_is_not_touched() -> None:
    service = CachedService(FRESH)
    one = cached_gateway(route(upstream=service, url_mapping=UrlMapping()))
    assert await numbers(one, [ask(), ask()]) == [1, 2]
    assert one.cache.stores == {}
    assert cached_route(service, None).caching == Caching(None)


async def test_a_route_without_rules_reads_from_the_service() -> None:
    service = CachedService(FRESH)
    one = cached_gateway(cached_route(service), cached_route(service, None, id="writes", pattern="/v1/writes"))
    assert await numbers(one, [ask(path="/v1/writes"), ask(path="/v1/writes")]) == [1, 2]
