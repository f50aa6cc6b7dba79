"""Routes with a cache: two workers, a real client with a cache of its own, and a purge."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import hishel
import httpx
import pytest
import pytest_asyncio
from hishel.httpx import AsyncCacheTransport

from tests.fakes import reply
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, counts, enveloped, front

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "sesame-open-the-door"
OTHER_KEY = "gw_test_another_organisation_0123456789"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    sections = {
        "admin": f'{{address: "127.0.0.1:0", token: {TOKEN}}}',
        "server": '{workers: 1, drain_delay: 0s, drain_timeout: 5s, listeners: [{id: public, address: "127.0.0.1:0"}]}',
        "organizations": "[{id: acme}, {id: bolt}]",
        "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: other, secret_sha256: {digest(OTHER_KEY)}, organizations: [bolt], plan: unlimited}}
""",
        "routes": """
- {id: cached, match: {prefix: /v1}, upstream: backend, cache: {}, compression: {codings: [gzip]}}
- {id: forced, match: {prefix: /forced}, upstream: backend, cache: {ttl: 1h}}
- {id: large, match: {prefix: /large}, upstream: backend, cache: {ttl: 1h}}
""",
    }
    async with front(**sections) as built:
        built.service.on(
            "/v1/items", reply(b"[1,2]", b"Cache-Control: max-age=60", b'ETag: "one"', b"Cache-Tag: items")
        )
        built.service.on("/v1/large", reply(b"[" + b"1," * 50_000 + b"1]", b"Cache-Control: max-age=60"))
        built.service.on("/forced/items", reply(b"[3]"))
        built.service.on("/large/items", reply(b"[" + b"1," * 50_000 + b"1]"))
        yield built


async def test_one_call_serves_an_organisation(here: Front) -> None:
    replies = [await ask(here.gateway, "GET", "/v1/items") for _ in range(3)]
    ids = {enveloped(each)["requestId"] for each in replies}
    assert (len(ids), len(here.service.at("/v1/items"))) == (3, 1)
    assert replies[0].field("Cache-Status") == "gateway; fwd=uri-miss; stored"
    assert all((each.field("Cache-Status") or "").startswith("gateway; hit; ttl=") for each in replies[1:])
    assert replies[1].field("Vary") == "X-Api-Key, Accept-Encoding"
    assert replies[1].field("Cache-Control") == "private, max-age=60"
    other = await ask(here.gateway, "GET", "/v1/items", key=OTHER_KEY)
    assert other.field("Cache-Status") == "gateway; fwd=uri-miss; stored"
    record = await here.gateway.record("request_id", replies[2].field("X-Request-Id"))
    assert (record["gateway.cache.result"], record["gateway.duration.upstream_ms"]) == ("hit", 0.0)
    assert "server.address" not in record
    await counts(here.gateway, "gateway_cache_requests_total", 2, route="cached", result="hit")
    await counts(here.gateway, "gateway_cache_saved_bytes_total", 1, route="cached")
    await counts(here.gateway, "gateway_cache_entries", 2, route="cached")
    await counts(here.gateway, "gateway_cache_bytes", 2000, route="cached")


async def test_a_large_kept_reply_is_compressed_for_each_client(here: Front) -> None:
    for coding in ("gzip", "identity"):
        async with httpx.AsyncClient(headers={"X-Api-Key": KEY, "Accept-Encoding": coding}) as client:
            for _ in range(2):
                answer = await client.get(f"http://127.0.0.1:{here.gateway.port}/v1/large")
                assert len(answer.json()["data"]["result"]) == 50_001
                assert answer.headers.get("Content-Encoding") == (coding if coding == "gzip" else None)
    assert len(here.service.at("/v1/large")) == 1


async def test_a_large_kept_reply_is_whole_however_often_it_is_asked_for(here: Front) -> None:
    replies = [await ask(here.gateway, "GET", "/large/items") for _ in range(4)]
    assert [len(enveloped(each)["data"]["result"]) for each in replies] == [50_001] * 4
    assert len(here.service.at("/large/items")) == 1


async def test_a_client_with_a_cache_of_its_own(here: Front, tmp_path: Path) -> None:
    storage = hishel.AsyncSqliteStorage(database_path=tmp_path / "cache.db")
    options: hishel.CacheOptions = {"shared": False}
    transport = AsyncCacheTransport(httpx.AsyncHTTPTransport(), storage=storage, rfc=options)
    async with httpx.AsyncClient(transport=transport, headers={"X-Api-Key": KEY}) as client:
        url = f"http://127.0.0.1:{here.gateway.port}/v1/items"
        for control, from_cache, revalidated in (("", False, False), ("", True, False), ("no-cache", True, True)):
            answer = await client.get(url, headers={"Cache-Control": control} if control else {})
            used = answer.extensions["caching"]
            assert (used["from_cache"], used["revalidated"]) == (from_cache, revalidated)
            assert answer.json()["data"]["result"] == [1, 2]


async def test_a_purge_is_for_operators_and_reaches_what_is_kept(here: Front) -> None:
    async def purge(query: str, token: str = TOKEN) -> tuple[int, object]:
        fields = {"Authorization": f"Bearer {token}"}
        status, text = await asyncio.to_thread(here.gateway.admin, f"/cache/purge{query}", "POST", fields)
        return status, json.loads(text)

    await ask(here.gateway, "GET", "/v1/items")
    await ask(here.gateway, "GET", "/forced/items")
    assert (await ask(here.gateway, "GET", "/forced/items")).field("Age") is not None
    assert (await purge("", "wrong"))[0] == 401
    assert await purge("?route=forced&tag=items") == (200, {"purged": 0, "workers": 1})
    assert (await purge("?route=nothing"))[0] == 404
    status, answer = await purge("?tag=items")
    assert (status, isinstance(answer, dict) and answer["purged"] >= 1) == (200, True)
    assert (await ask(here.gateway, "GET", "/v1/items")).field("Age") is None
    assert await purge("?route=forced") == (200, {"purged": 1, "workers": 1})
    assert (await ask(here.gateway, "GET", "/forced/items")).field("Age") is None


async def test_a_change_makes_the_cache_forget(here: Front) -> None:
    await ask(here.gateway, "GET", "/v1/items")
    before = len(here.service.at("/v1/items"))
    await ask(here.gateway, "POST", "/v1/items", body=b"{}")
    assert (await ask(here.gateway, "GET", "/v1/items")).field("Age") is None
    assert len(here.service.at("/v1/items")) == before + 2
