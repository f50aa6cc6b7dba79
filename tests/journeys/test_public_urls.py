"""Public URLs, client addresses and cache fields, over real sockets, through a gateway in a process of its own."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.fakes import End, Step, reply
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, fields, front
from tests.raw_client import RawReply

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONCE, SEVERAL = "gw_test_key_of_somebody_once", "gw_test_key_of_somebody_several"
SECTIONS = {
    "server": '{workers: 1, drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0", trusted_proxies: ["127.0.0.1"]}]}',
    "organizations": "[{id: acme}, {id: globex}]",
    "plans": "[{id: unlimited, limits: []}, {id: once, limits: [{id: day, max: 1, per: 1d}]}]",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: once, secret_sha256: {digest(ONCE)}, organizations: [acme], plan: once}}
- {{id: several, secret_sha256: {digest(SEVERAL)}, organizations: [acme, globex], plan: unlimited}}
""",
    "upstreams": """
- {id: backend, targets: [{url: "http://127.0.0.1:{backend}"}]}
- {id: away, targets: [{url: "http://127.255.255.255:9"}]}
""",
    "defaults": "{headers: {response: {set: {Strict-Transport-Security: max-age=9}}}}",
    "routes": """
- {id: shop, match: {prefix: /shop}, upstream: backend, rewrite: {strip_prefix: /shop}}
- {id: v1, match: {prefix: /v1}, upstream: backend}
- {id: raw, match: {prefix: /raw}, upstream: backend, envelope: {mode: passthrough}}
- {id: small, match: {prefix: /small}, upstream: backend, envelope: {max_buffer: 1KiB}}
- {id: open, match: {prefix: /open}, upstream: backend, auth: none}
- {id: cors, match: {prefix: /cors, methods: [GET]}, upstream: backend, headers: {response: {set: {Access-Control-Allow-Origin: "https://app.example", Vary: Origin}}}}
- {id: cors-away, match: {prefix: /away}, upstream: away, headers: {response: {set: {Access-Control-Allow-Origin: "https://app.example"}}}}
""",
}
SHARED_WORDS = (b"Cache-Control", b"public, s-maxage=60")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        yield built


def json_with(*lines: tuple[bytes, bytes], status: bytes = b"200 OK", body: bytes = b'{"a":1}') -> bytes:
    head = b"".join([b"%b: %b\r\n" % line for line in lines])
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status,
        head,
        len(body),
        body,
    )


async def asked(
    here: Front, path: str, *steps: Step, at: str | None = None, lines: tuple[str, ...] = (), key: str | None = KEY
) -> RawReply:
    """Return the reply to a GET of `path`, which the service answers by `steps`, at the path `at` if given."""
    here.service.on(at or path, *steps)
    return await ask(here.gateway, "GET", path, *lines, key=key)


def values(answer: RawReply, name: str) -> list[str]:
    return [value for found, value in answer.fields if found.lower() == name.lower()]


async def test_who_follows_redirects_comes_back_to_the_gateway(here: Front) -> None:
    """As FastAPI and Django redirect: to an absolute URL made from the Host that they were called by."""
    service = here.service
    service.on(
        "/items", b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:%d/items/\r\nContent-Length: 0\r\n\r\n" % service.port
    )
    service.on("/items/", reply(b"[]"))
    url = f"http://127.0.0.1:{here.gateway.port}/shop/items"
    async with aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as session, session.get(url) as found:
        assert (found.status, str(found.url)) == (200, f"{url}/")
        assert (await found.json())["data"]["result"] == []
    assert all(KEY.encode() not in request.head for request in service.requests)


@pytest.mark.parametrize("name", [b"Location", b"Content-Location", b"Operation-Location"])
async def test_urls_of_the_service_are_public(here: Front, name: bytes) -> None:
    port = here.service.port
    for written, wanted in (
        (b"http://127.0.0.1:%d/items/17?a#b" % port, "http://api.example.com/shop/items/17?a#b"),
        (b"https://localhost:%d/items/17" % port, "http://api.example.com/shop/items/17"),
        (b"//127.0.0.1:%d/items/17" % port, "http://api.example.com/shop/items/17"),
        (b"/items/17", "/shop/items/17"),
        (b"17", "/shop/items/17"),
        (b"https://other.example/items", "https://other.example/items"),
    ):
        for status in (b"201 Created", b"302 Found", b"409 Conflict"):
            answer = await asked(here, "/shop/items/5", json_with((name, written), status=status), at="/items/5")
            assert answer.field(name.decode()) == wanted


async def test_a_trusted_proxy_says_where_the_public_is(here: Front) -> None:
    lines = (
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: shop.example",
        "X-Forwarded-Prefix: /eu",
        "X-Forwarded-For: 203.0.113.1:5",
    )
    step = json_with(
        (b"Location", b"http://127.0.0.1:%d/items" % here.service.port),
        (b"Set-Cookie", b"a=1; Path=/; Domain=127.0.0.1"),
    )
    answer = await asked(here, "/shop/x", step, at="/x", lines=lines)
    assert answer.field("Location") == "https://shop.example/eu/shop/items"
    assert answer.field("Set-Cookie") == "a=1; Path=/eu/shop; Domain=shop.example"
    seen = here.service.requests[-1]
    assert fields(seen, "X-Forwarded-Prefix") == ["/eu/shop"]
    assert fields(seen, "X-Forwarded-For") == ["203.0.113.1, 127.0.0.1"]


async def test_a_prefix_that_a_service_minds_is_not_put_there_twice(here: Front) -> None:
    answer = await asked(
        here, "/shop/x", json_with((b"Location", b"/shop/items"), (b"Set-Cookie", b"a=1; Path=/shop")), at="/x"
    )
    assert (answer.field("Location"), answer.field("Set-Cookie")) == ("/shop/items", "a=1; Path=/shop")
    assert fields(here.service.requests[-1], "X-Forwarded-Prefix") == ["/shop"]


async def test_it_is_so_on_streams_and_untouched_replies(here: Front) -> None:
    target = b"http://127.0.0.1:%d/b" % here.service.port
    for path in ("/raw/a", "/small/a"):
        step = json_with((b"Content-Location", target), (b"Cache-Control", b"max-age=5"), body=b'"%b"' % (b"x" * 5000))
        answer = await asked(here, path, step)
        assert answer.field("Content-Location") == "http://api.example.com/b"
        assert (answer.field("Cache-Control"), answer.field("Vary")) == ("private, max-age=5", "X-Api-Key")


@pytest.mark.parametrize(
    ("lines", "vary", "control"),
    [
        ([], "X-Api-Key", "private"),
        ([(b"Vary", b"Accept"), (b"Cache-Control", b"public, max-age=60")], "Accept, X-Api-Key", "private, max-age=60"),
        ([(b"Cache-Control", b"no-store")], "X-Api-Key", "no-store"),
        ([SHARED_WORDS], "X-Api-Key", "public, s-maxage=60"),
        ([(b"Vary", b"*")], "*", "private"),
    ],
)
@pytest.mark.parametrize("status", [b"200 OK", b"304 Not Modified", b"404 Not Found", b"302 Found"])
async def test_caches_keep_keys_apart(
    here: Front, status: bytes, lines: list[tuple[bytes, bytes]], vary: str, control: str
) -> None:
    body = b"" if status.startswith(b"304") else b"{}"
    answer = await asked(here, "/v1/x", json_with(*lines, status=status, body=body))
    assert (answer.field("Vary"), answer.field("Cache-Control")) == (vary, control)


async def test_a_key_of_several_organisations_is_kept_apart_by_them_too(here: Front) -> None:
    answer = await asked(here, "/v1/x", json_with(SHARED_WORDS), key=SEVERAL)
    assert (answer.field("Vary"), answer.field("Cache-Control")) == (
        "X-Api-Key, X-Tenant-Org-Id",
        "public, s-maxage=60",
    )


async def test_open_routes_say_what_the_service_says(here: Front) -> None:
    answer = await asked(here, "/open/x", json_with((b"Cache-Control", b"public, max-age=60")), key=None)
    assert (answer.field("Vary"), answer.field("Cache-Control")) == (None, "public, max-age=60")


async def test_what_a_route_sets_is_on_every_reply(here: Front) -> None:
    """The service's, and the gateway's own errors."""
    fine, crash, garbage = json_with(), json_with(status=b"500 Crash"), reply(b"{")
    replies = [
        (200, await asked(here, "/cors/x", fine)),
        (500, await asked(here, "/cors/x", crash)),
        (503, await asked(here, "/cors/x", garbage)),
        (503, await asked(here, "/cors/x", End.RESET)),
        (503, await ask(here.gateway, "GET", "/away/x")),
        (401, await ask(here.gateway, "GET", "/cors/x", key=None)),
        (403, await ask(here.gateway, "GET", "/cors/x", "X-Tenant-Org-Id: nobody")),
        (405, await ask(here.gateway, "POST", "/cors/x", body=b"")),
        (405, await ask(here.gateway, "OPTIONS", "/cors/x", key=None)),
        *[(status, await asked(here, "/cors/x", fine, key=ONCE)) for status in (200, 429)],
    ]
    for status, answer in replies:
        assert (answer.status, answer.field("Access-Control-Allow-Origin")) == (status, "https://app.example")
        assert values(answer, "Strict-Transport-Security") == ["max-age=9"]
        assert [len(values(answer, name)) for name in ("Content-Type", "Cache-Control", "Vary")] == [1, 1, 1]
    for answer in (replies[0][1], replies[5][1]):
        assert answer.field("Vary") == "Origin, X-Api-Key"


async def test_what_defaults_set_is_on_replies_that_are_no_routes(here: Front) -> None:
    for path, key in (("/nowhere", KEY), ("/v1/../x", None)):
        answer = await ask(here.gateway, "GET", path, key=key)
        assert answer.status in (400, 404)
        assert (answer.field("Strict-Transport-Security"), answer.field("Access-Control-Allow-Origin")) == (
            "max-age=9",
            None,
        )


async def test_which_software_serves_is_not_reported(here: Front) -> None:
    names = (b"Server", b"X-Powered-By", b"X-AspNet-Version", b"X-AspNetMvc-Version")
    answer = await asked(here, "/v1/x", json_with(*((name, b"9") for name in names), (b"X-Kept", b"9")))
    assert [name for name, value in answer.fields if value == "9"] == ["x-kept"]


async def test_the_organisation_that_counts_replaces_the_one_that_was_sent(here: Front) -> None:
    here.service.on("/v1/x", json_with())
    for lines, wanted in ((("X-Tenant-Org-Id: globex", "X_Tenant_Org_Id: admin"), "globex"), ((), "acme")):
        await ask(here.gateway, "GET", "/v1/x", *lines, key=SEVERAL)
        seen = here.service.requests[-1]
        assert (fields(seen, "X-Tenant-Org-Id"), fields(seen, "X_Tenant_Org_Id")) == ([wanted], [])
    here.service.on("/open/x", json_with())
    await ask(here.gateway, "GET", "/open/x", "X-Tenant-Org-Id: admin", key=None)
    assert fields(here.service.requests[-1], "X-Tenant-Org-Id") == []


async def test_many_at_once_are_each_sent_to_their_own_host(here: Front) -> None:
    here.service.on("/a", json_with((b"Location", b"http://127.0.0.1:%d/b" % here.service.port)))

    async def one(number: int) -> None:
        answer = await ask(here.gateway, "GET", "/shop/a", f"X-Forwarded-Host: h{number}.example")
        assert answer.field("Location") == f"http://h{number}.example/shop/b"

    await asyncio.gather(*(one(number) for number in range(20)))
