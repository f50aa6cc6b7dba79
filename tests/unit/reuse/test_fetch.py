"""reuse/fetch.py: what the service is asked, what of its answer is kept, and what serves while it is away."""

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.exchange import Reply
from gateway.kernel.faults import UPSTREAM_REFUSED, UPSTREAM_SATURATED, GatewayError
from gateway.kernel.http.compression import CompressionRules
from gateway.reuse.fetch import Fetched
from tests.cached_gateway import (
    CachedService,
    Time,
    ask,
    cache_rules,
    cached_gateway,
    cached_route,
    got,
    number_of,
    numbers,
    status_of,
)
from tests.samples import Pieces

FRESH, STALE = (b"cache-control", b"max-age=60"), (b"cache-control", b"max-age=60, stale-if-error=600")
TAG, DATE = (b"etag", b'"a"'), (b"last-modified", b"Tue, 14 Nov 2023 22:13:20 GMT")


async def test_the_service_is_asked_whether_a_stale_reply_has_changed() -> None:
    time, service = Time(), CachedService(FRESH, TAG, DATE, (b"x-version", b"1"), (b"cache-tag", b"x"))
    one = cached_gateway(cached_route(service), time=time)
    await got(one, ask("a1", ("If-None-Match", '"z"'), ("If-Modified-Since", "Tue, 14 Nov 2023 22:13:21 GMT")))
    assert b"If-None-Match" not in b"".join(service.calls[0].head)
    assert b"If-Modified-Since" not in b"".join(service.calls[0].head)
    time.now_s += 61
    service.status, service.fields = 304, [(b"x-version", b"2"), (b"cache-control", b"max-age=90"), (b"age", b"1")]
    x = ask("a1", ("If-None-Match", '"z"'))
    reply = await got(one, x)
    assert b'If-None-Match: "a"\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n' in b"".join(
        service.calls[1].head
    )
    fields = dict(reply.fields)
    assert (reply.status, number_of(reply), status_of(reply)) == (200, 1, "fwd=stale; fwd-status=304")
    assert (fields["X-Version".lower()], fields["ETag"], fields["Age"]) == ("2", 'W/"a"', "1")
    assert x.cache is not None
    assert x.cache.result == "revalidated"
    assert x.answer is not None
    assert x.answer.status == 304
    time.now_s += 88
    assert await numbers(one, [ask()]) == [1]
    assert one.cache.purge(None, "x") == 1


async def test_a_304_that_says_nothing_leaves_the_lifetime_as_it_is() -> None:
    time, service = Time(), CachedService(FRESH, TAG, (b"vary", b"Accept"))
    one = cached_gateway(cached_route(service), time=time)
    await got(one, ask())
    for _ in range(3):
        time.now_s += 61
        service.status, service.fields = 304, []
        assert await numbers(one, [ask(), ask()]) == [1, 1]
    assert len(service.calls) == 4


async def test_a_304_with_an_expiry_decides_anew() -> None:
    time, service = Time(), CachedService(FRESH, TAG)
    one = cached_gateway(cached_route(service), time=time)
    await got(one, ask())
    time.now_s += 61
    service.status, service.fields = 304, [(b"expires", b"0")]
    assert await numbers(one, [ask(), ask()]) == [1, 1]
    assert len(service.calls) == 3


@pytest.mark.parametrize("field", [(b"cache-control", b"no-store"), (b"set-cookie", b"a=b")])
async def test_a_304_may_forbid_to_keep_any_longer(field: tuple[bytes, bytes]) -> None:
    time, service = Time(), CachedService(FRESH, TAG)
    one = cached_gateway(cached_route(service), time=time)
    await got(one, ask())
    time.now_s += 61
    service.status, service.fields = 304, [field]
    reply = await got(one, ask())
    assert (number_of(reply), len(one.cache.stores["orders"])) == (1, 0)
    assert "Set-Cookie" not in dict(reply.fields)
    service.status = 200
    assert await numbers(one, [ask()]) == [3]


async def test_a_304_to_nobody_s_question_is_passed_on() -> None:
    service = CachedService(status=304)
    one = cached_gateway(cached_route(service))
    assert (await got(one, ask())).status == 304


async def test_a_stale_reply_serves_while_the_service_is_away() -> None:
    time, service = Time(), CachedService(STALE)
    one = cached_gateway(cached_route(service), time=time)
    await got(one, ask())
    time.now_s += 61
    service.error = GatewayError(UPSTREAM_REFUSED)
    x = ask()
    reply = await got(one, x)
    assert (reply.status, number_of(reply), status_of(reply), x.error) == (200, 1, "fwd=stale", None)
    service.error, service.status, service.stream = None, 503, Pieces(b"x")
    reply = await got(one, ask())
    assert (number_of(reply), status_of(reply)) == (1, "fwd=stale; fwd-status=503")
    assert service.stream.closed
    service.stream = None
    service.error = GatewayError(UPSTREAM_SATURATED)  # not a fault of the service
    assert (await got(one, ask())).status == 503
    service.error = GatewayError(UPSTREAM_REFUSED)
    time.now_s += 600
    assert (await got(one, ask())).status == 503
    service.error, service.status = None, 500
    assert (await got(one, ask())).status == 500
    service.status = 200
    assert status_of(await got(one, ask())) == "fwd=stale; stored"


async def test_a_refusal_of_the_service_takes_the_place_of_what_was_kept() -> None:
    time, service = Time(), CachedService(STALE)
    one = cached_gateway(cached_route(service), time=time)
    await got(one, ask())
    time.now_s += 61
    service.status = 403
    assert (await got(one, ask())).status == 403
    service.error = GatewayError(UPSTREAM_REFUSED)
    assert (await got(one, ask())).status == 503


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_is_kept_with_an_id_for_each(status: int) -> None:
    service = CachedService(FRESH, status=status)
    one = cached_gateway(cached_route(service))
    first, second = await got(one, ask()), await got(one, ask())
    bodies = [msgspec.json.decode(reply.body) for reply in (first, second)]
    assert len(service.calls) == 1
    assert bodies[0]["requestId"] != bodies[1]["requestId"] == dict(second.fields)["X-Request-Id"]
    assert bodies[0]["data"] == bodies[1]["data"]
    assert (second.status, second.code) == (first.status, first.code)


async def test_a_service_that_sets_a_cookie_is_asked_each_time() -> None:
    one = cached_gateway(cached_route(CachedService(FRESH, (b"set-cookie", b"a=b"))))
    assert await numbers(one, [ask(), ask()]) == [1, 2]


async def test_what_is_too_large_is_not_kept() -> None:
    service = CachedService(FRESH)
    one = cached_gateway(cached_route(service, cache_rules(max_bytes=40_000)))
    service.body = b"[" + b"1," * 10_000 + b"1]"
    replies = [await got(one, ask()) for _ in range(2)]
    assert [status_of(reply) for reply in replies] == ["fwd=uri-miss"] * 2


async def test_what_must_not_be_transformed_is_not_compressed_later_either() -> None:
    service = CachedService((b"cache-control", b"max-age=60, no-transform"))
    service.body = b"[" + b"1," * 2000 + b"1]"
    rules = CompressionRules(("gzip",), 0)
    one = cached_gateway(cached_route(service, compression=rules, response_set=(("Cache-Control", "private"),)))
    for _ in range(2):
        assert "Content-Encoding" not in dict((await got(one, ask("a1", ("Accept-Encoding", "gzip")))).fields)
    service.fields = [FRESH]
    one.cache.purge(None, None)
    for _ in range(2):
        fields = dict((await got(one, ask("a1", ("Accept-Encoding", "gzip")))).fields)
        assert (fields["Content-Encoding"], fields["Vary"]) == ("gzip", "Accept-Encoding")


async def test_a_reply_that_was_selected_by_fields_stays_so() -> None:
    time, service = Time(), CachedService(FRESH, TAG, (b"vary", b"Accept"))
    one = cached_gateway(cached_route(service), time=time)
    await got(one, ask("a1", ("Accept", "x")))
    time.now_s += 61
    service.status, service.fields = 304, [FRESH]
    assert await numbers(one, [ask("a1", ("Accept", "x"))] * 1) == [1]
    service.status = 200
    assert await numbers(one, [ask("a1", ("Accept", "y")), ask("a1", ("Accept", "x"))]) == [3, 3]


async def test_a_bug_is_shared_as_any_error() -> None:
    service = CachedService(FRESH)
    service.error = ValueError("a bug")
    with capture_logs() as logs:
        assert (await got(cached_gateway(cached_route(service)), ask())).status == 500
    assert [line["event"] for line in logs] == ["bug"]


async def test_nobody_waits_for_what_turned_out_not_to_be_public() -> None:
    service = CachedService(FRESH)
    one = cached_gateway(cached_route(service, cache_rules(share="public")))
    assert await numbers(one, [ask("a1"), ask("b1"), ask("a2")]) == [1, 2, 1]
    (store,) = one.cache.stores.values()
    assert len(store) == 2


def test_a_reply_that_nobody_reads_is_closed() -> None:
    pieces = Pieces(b"x")
    for fetched in (Fetched(), Fetched(Reply(200, [], b"")), Fetched(Reply(200, [], b"", stream=pieces))):
        assert not pieces.closed
        fetched.close()
    assert pieces.closed
