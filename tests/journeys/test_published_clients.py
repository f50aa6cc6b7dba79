"""The published clients of the API, unmodified, against the gateway.

Services speak plain JSON, or the API's own envelope. The clients create, read, list, replace and delete, and meet every
kind of failure.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.fakes import End, Step, reply
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, fields, front, target
from tests.journeys.service_replies import refused, service_reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = Path(__file__).parent
COMMANDS = {
    "python": (sys.executable, "-W", "ignore", str(HERE / "published_client.py")),
    "javascript": ("node", str(HERE / "published_client.cjs")),
}
CALLED_WITHIN_S = 30.0
EXPIRED, DISABLED, OF_A_DISABLED, READER, NARROW, ONCE = (f"gw_test_key_of_somebody_else_{name}" for name in "abcdef")
KEYS = f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme, globex], plan: unlimited}}
- {{id: expired, secret_sha256: {digest(EXPIRED)}, organizations: [acme], plan: unlimited, expires: "2020-01-01T00:00:00Z"}}
- {{id: disabled, secret_sha256: {digest(DISABLED)}, organizations: [acme], plan: unlimited, disabled: true}}
- {{id: of-a-disabled, secret_sha256: {digest(OF_A_DISABLED)}, organizations: [initech], plan: unlimited}}
- {{id: reader, secret_sha256: {digest(READER)}, organizations: [acme], plan: unlimited, methods: [GET]}}
- {{id: narrow, secret_sha256: {digest(NARROW)}, organizations: [acme], plan: unlimited, routes: [read-only]}}
- {{id: once, secret_sha256: {digest(ONCE)}, organizations: [acme], plan: once}}
"""
UPSTREAMS = """
- {id: backend, targets: [{url: "http://127.0.0.1:{backend}"}], timeouts: {first_byte: 300ms}}
- {id: refused, targets: [{url: "http://127.255.255.255:9"}]}
"""
ROUTES = """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: mounted, match: {prefix: /mounted}, upstream: backend, rewrite: {strip_prefix: /mounted, add_prefix: /v1}}
- {id: read-only, match: {prefix: /read-only, methods: [GET]}, upstream: backend}
- {id: away, match: {prefix: /away}, upstream: refused}
- {id: analytics, match: {prefix: /analytics}, upstream: refused, error_family: analytics}
"""
PATH = "/v1/encoding/inputs/http"
HOOK = "/v1/notifications/webhooks/encoding/manifest/finished/h1"
ITEM = {"id": "a1", "name": "first é", "host": "origin.example", "createdAt": "2016-06-25T20:09:23Z", "big": 2**53 + 1}
SHOWN = {"id": "a1", "name": "first é"}


class Client:
    """One of the published clients."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._port = port

    async def call(self, do: str, *, at: str = "/v1", key: str = KEY, **more: str) -> dict[str, Any]:
        """What it makes of the reply: a `result`, or the parts of an error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = {
            "do": do,
            "base": f"http://127.0.0.1:{self._port}{at}",
            "key": key,
            "id": "a1",
            "name": "first",
            **more,
        }
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(CALLED_WITHIN_S):
            return dict(json.loads(await self._process.stdout.readline()))


class Stage(NamedTuple):
    """The gateway, its service, and the clients by language."""

    front: Front
    clients: dict[str, Client]


@asynccontextmanager
async def started(port: int) -> AsyncIterator[dict[str, Client]]:
    pipe = asyncio.subprocess.PIPE
    processes = {
        name: await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        for name, command in COMMANDS.items()
    }
    try:
        yield {name: Client(process, port) for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
            await process.communicate()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    sections = {
        "organizations": "[{id: acme}, {id: globex}, {id: initech, disabled: true}]",
        "plans": "[{id: unlimited, limits: []}, {id: once, limits: [{id: day, max: 1, per: 1d}]}]",
        "keys": KEYS,
        "upstreams": UPSTREAMS,
        "routes": ROUTES,
    }
    async with front(**sections) as built, started(built.gateway.port) as clients:
        yield Stage(built, clients)


@pytest.mark.parametrize("enveloped", [False, True], ids=["raw", "enveloped"])
@pytest.mark.parametrize("language", COMMANDS)
async def test_create_read_list_replace_delete(stage: Stage, language: str, *, enveloped: bool) -> None:
    client, service = stage.clients[language], stage.front.service
    for at in ("/v1", "/mounted"):
        service.on(PATH, service_reply(ITEM, enveloped=enveloped, status=b"201 Created"))
        assert await client.call("create", at=at, name="first") == {"result": SHOWN}
        assert json.loads(service.requests[-1].body) == {"type": "HTTP", "name": "first", "host": "origin.example"}
        service.on(f"{PATH}/a1", service_reply(ITEM, enveloped=enveloped))
        assert await client.call("read", at=at) == {"result": SHOWN}
        service.on(
            PATH, service_reply({"totalCount": 1, "offset": 0, "limit": 25, "items": [ITEM]}, enveloped=enveloped)
        )
        assert await client.call("list", at=at) == {"result": {"total": 1, "items": [SHOWN]}}
        assert target(service.requests[-1]).partition("?")[2] in ("offset=0&limit=25", "limit=25&offset=0")
        service.on(HOOK, service_reply({"id": "h1"}, enveloped=enveloped))
        assert await client.call("replace", at=at, id="h1") == {"result": {"id": "h1", "name": None}}
        service.on(f"{PATH}/a1", service_reply({"id": "a1"}, enveloped=enveloped))
        assert await client.call("delete", at=at) == {"result": {"id": "a1", "name": None}}


@pytest.mark.parametrize("language", COMMANDS)
async def test_replies_without_a_result(stage: Stage, language: str) -> None:
    for step in (b"HTTP/1.1 204 No Content\r\n\r\n", reply(b""), reply(b"null"), reply(b"{}")):
        stage.front.service.on(f"{PATH}/a1", step)
        outcome = await stage.clients[language].call("delete")
        assert outcome in ({"result": None}, {"result": {"id": None, "name": None}})


@pytest.mark.parametrize("language", COMMANDS)
async def test_the_organisation_that_counts_is_reported(stage: Stage, language: str) -> None:
    stage.front.service.on(f"{PATH}/a1", service_reply(ITEM, enveloped=True))
    for more, organization in (
        ({}, "acme"),
        ({"organization": "globex"}, "globex"),
        ({"organization": "acme"}, "acme"),
    ):
        assert await stage.clients[language].call("read", **more) == {"result": SHOWN}
        request = stage.front.service.requests[-1]
        assert fields(request, "X-Tenant-Org-Id") == fields(request, "X-Caller-Organization") == [organization]
        assert fields(request, "X-Api-Key") == []


@pytest.mark.parametrize(
    "status", [b"307 Temporary Redirect", b"308 Permanent Redirect", b"302 Found", b"301 Moved Permanently"]
)
@pytest.mark.parametrize("language", COMMANDS)
async def test_a_redirect_to_the_service_leads_to_the_gateway(stage: Stage, language: str, status: bytes) -> None:
    service = stage.front.service
    service.on(
        f"{PATH}/a1",
        b"HTTP/1.1 %b\r\nLocation: http://127.0.0.1:%d%b/a2\r\nContent-Length: 0\r\n\r\n"
        % (status, service.port, PATH.encode()),
    )
    service.on(f"{PATH}/a2", service_reply(ITEM, enveloped=False))
    for at in ("/v1", "/mounted"):
        assert await stage.clients[language].call("read", at=at) == {"result": SHOWN}
        assert fields(service.requests[-1], "X-Caller-Id") == ["tester"]
        assert all(KEY.encode() not in request.head for request in service.requests)


@pytest.mark.parametrize("enveloped", [False, True], ids=["raw", "enveloped"])
@pytest.mark.parametrize("language", COMMANDS)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((b"400 Bad Request", 1000), (b"401 Unauthorized", 1002), (b"403 Forbidden", 1003), (b"404 Not Found", 2004)),
        *((b"405 Not Allowed", 1006), (b"409 Conflict", 3009), (b"422 Unprocessable", 1000), (b"429 Too Many", 8003)),
        *((b"500 Crash", 1004), (b"502 Bad Gateway", 5001), (b"503 Unavailable", 7000)),
    ],
    ids=lambda value: value[:3].decode() if isinstance(value, bytes) else "",
)
async def test_an_error_of_the_service_arrives_with_all_its_parts(
    stage: Stage, language: str, *, enveloped: bool, status: bytes, code: int
) -> None:
    stage.front.service.on(PATH, refused(status, code, enveloped=enveloped))
    error = await stage.clients[language].call("create")
    assert error["status"] == int(status[:3])
    assert error["details"] == [["is required", "name"]]
    assert error["message"]
    assert error["developer_message"]
    if enveloped:
        assert (error["code"], error["message"], error["developer_message"]) == (code, "No name", "Send a name")
        assert error["links"] == [["Names", "https://example.com/names"]]
    else:
        assert isinstance(error["code"], int)
    if "request_id" in error:
        assert (await stage.front.gateway.record("request_id", error["request_id"]))[
            "http.response.status_code"
        ] == error["status"]


FAILING: dict[str, tuple[str, dict[str, str], tuple[Step, ...], int, int]] = {
    "no such key": ("read", {"key": "unknown"}, (), 401, 1002),
    "expired": ("read", {"key": EXPIRED}, (), 401, 1002),
    "disabled": ("read", {"key": DISABLED}, (), 403, 8007),
    "organisation disabled": ("list", {"key": OF_A_DISABLED}, (), 403, 8007),
    "organisation forbidden": ("list", {"organization": "initech"}, (), 403, 1003),
    "organisation unknown": ("create", {"organization": "nobody"}, (), 403, 1003),
    "method forbidden": ("delete", {"key": READER}, (), 403, 1003),
    "route forbidden": ("read", {"key": NARROW}, (), 403, 1003),
    "no route": ("read", {"at": "/none"}, (), 404, 1005),
    "not found": ("read", {"id": "nothing-there"}, (), 404, 1001),
    "no method": ("create", {"at": "/read-only"}, (), 405, 1006),
    "too long": ("read", {"id": "a" * 9000}, (), 414, 1001),
    "service is away": ("create", {"at": "/away"}, (), 503, 1004),
    "service is away, in analytics": ("create", {"at": "/analytics"}, (), 503, 5001),
    "garbage": ("read", {}, (reply(b"{"),), 503, 1004),
    "nothing comes": ("read", {}, (End.NEVER,), 503, 1004),
    "hung up": ("read", {}, (End.RESET,), 503, 1004),
    "broken off": ("read", {}, (reply(b'{"a":1}')[:-3], End.CLOSE), 503, 1004),
    "crash": ("read", {}, (reply(b"<html>Traceback", status=b"500 Error"),), 500, 1004),
    "service is busy": ("read", {}, (reply(b"busy", status=b"503 Unavailable"),), 503, 1004),
    "service limits": ("read", {}, (reply(b"{}", status=b"429 Too Many"),), 429, 8000),
    "error in a 200": ("read", {}, (refused(b"200 OK", 4711, enveloped=True),), 503, 4711),
}


@pytest.mark.parametrize("case", FAILING)
@pytest.mark.parametrize("language", COMMANDS)
async def test_every_failure_is_read_as_one_of_the_api(stage: Stage, language: str, case: str) -> None:
    do, more, steps, status, code = FAILING[case]
    if steps:
        stage.front.service.on(f"{PATH}/a1", *steps)
    error = await stage.clients[language].call(do, **more)
    assert error["status"] in ((500, status) if case == "error in a 200" else (status,))
    assert error["code"] == code
    assert error["message"]
    assert error["developer_message"]
    assert all(title and href for title, href in error["links"])


@pytest.mark.parametrize("language", COMMANDS)
async def test_a_spent_limit_is_read_as_one_of_the_api(stage: Stage, language: str) -> None:
    stage.front.service.on(f"{PATH}/a1", service_reply(ITEM, enveloped=False))
    outcomes = [await stage.clients[language].call("read", key=ONCE) for _ in range(2)]
    assert (outcomes[-1]["status"], outcomes[-1]["code"]) == (429, 8000)
