"""A backend's own errors, translated: the forms they come in, their codes, families, and what operators override."""

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.fakes import End, reply
from tests.journeys.backends import Front, ask, enveloped, front

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECTIONS = {
    "upstreams": """
- {id: backend, targets: [{url: "http://127.0.0.1:{backend}"}]}
- {id: away, targets: [{url: "http://127.255.255.255:1"}]}
""",
    "routes": """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: analytics, match: {prefix: /analytics}, upstream: backend, error_family: analytics}
- {id: notification, match: {prefix: /notification}, upstream: backend, error_family: notification}
- {id: general-away, match: {path: /away/general}, upstream: away}
- {id: analytics-away, match: {path: /away/analytics}, upstream: away, error_family: analytics}
- {id: notification-away, match: {path: /away/notification}, upstream: away, error_family: notification}
""",
    "errors": """
  no_route: {status: 410, message: Gone, developer_message: Read the list of paths., links: [{href: "https://docs.example.com/paths", title: Paths}]}
  upstream_reset: {status: 504, code: 4711}
  key_missing: {links: [{href: "https://docs.example.com/keys", title: Keys}]}
""",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(**SECTIONS) as built:
        yield built


class ErrorSeen(NamedTuple):
    """What the client is told. `details` are texts with their fields."""

    code: int
    message: str
    developer_message: str
    details: tuple[tuple[str, str | None], ...] = ()


async def error_seen(here: Front, status: int, kind: str, body: bytes | dict[str, Any]) -> tuple[int, ErrorSeen]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Error\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
    answer = await ask(here.gateway, "GET", here.service.on("/v1/error", head, raw))
    data = enveloped(answer)["data"]
    details = tuple((detail["text"], detail.get("field")) for detail in data.get("details", ()))
    return answer.status, ErrorSeen(data["code"], data["message"], data["developerMessage"], details)


PROBLEM = {
    "type": "https://example.com/probs/credit",
    "title": "Not enough credit",
    "status": 403,
    "detail": "Your balance is 30.",
}
MISSING = {"detail": [{"loc": ["body", "name"], "msg": "Field required", "type": "missing"}]}
TOO_SMALL = {"detail": [{"loc": ["query", "limit"], "msg": "Input should be greater than 0", "type": "greater_than"}]}
SPRING = {
    "timestamp": "2026-01-01T00:00:00.000+00:00",
    "status": 404,
    "error": "Not Found",
    "message": "No order 7",
    "path": "/orders/7",
}
NESTED = {"error": {"code": "quota", "message": "Quota spent", "details": [{"field": "size", "message": "too large"}]}}
LISTED = {"errors": [{"detail": "is too short", "source": {"pointer": "/data/attributes/name"}}, {"message": "second"}]}


@pytest.mark.parametrize(
    ("status", "kind", "body", "expected"),
    [
        (403, "application/problem+json", PROBLEM, ErrorSeen(1003, "Not enough credit", "Your balance is 30.")),
        (404, "application/json", {"detail": "No such order"}, ErrorSeen(1001, "No such order", "No such order")),
        (
            422,
            "application/json",
            MISSING,
            ErrorSeen(1000, "Field required", "name: Field required", (("Field required", "name"),)),
        ),
        (
            422,
            "application/json",
            TOO_SMALL,
            ErrorSeen(
                1001,
                "Input should be greater than 0",
                "limit: Input should be greater than 0",
                (("Input should be greater than 0", "limit"),),
            ),
        ),
        (404, "application/json", SPRING, ErrorSeen(1001, "No order 7", "Not Found: No order 7")),
        (
            429,
            "application/json",
            NESTED,
            ErrorSeen(8000, "Quota spent", "quota: Quota spent", (("too large", "size"),)),
        ),
        (500, "text/plain", b"database is down", ErrorSeen(1004, "database is down", "database is down")),
    ],
    ids=["problem", "fastapi", "missing", "validation", "spring", "nested", "text"],
)
async def test_a_backends_error_is_translated(
    here: Front, status: int, kind: str, body: Any, expected: ErrorSeen
) -> None:
    assert await error_seen(here, status, kind, body) == (status, expected)


async def test_a_list_of_errors_becomes_details(here: Front) -> None:
    status, found = await error_seen(here, 400, "application/vnd.api+json", LISTED)
    assert (status, found.code) == (400, 1001)
    assert [text for text, _ in found.details] == ["is too short", "second"]
    assert (found.details[0][1] or "").endswith("name")


@pytest.mark.parametrize("status", [400, 404, 500, 502])
async def test_html_is_never_shown(here: Front, status: int) -> None:
    for kind in ("text/html", "text/html; charset=utf-8", "application/json", "text/plain"):
        found = await error_seen(
            here, status, kind, b"<!DOCTYPE html><html><body><h1>Traceback of Tomcat</h1></body></html>"
        )
        assert found[0] == status
        assert "Tomcat" not in str(found)
        assert "<" not in str(found)


CODES = {
    400: 1001,
    401: 1003,
    403: 1003,
    404: 1001,
    405: 1006,
    409: 1001,
    413: 1001,
    422: 1001,
    429: 8000,
    500: 1004,
    502: 1004,
    503: 1004,
}


@pytest.mark.parametrize("status", CODES)
@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[]", b"{not json", b'{"status":"ERROR"}'], ids=repr)
async def test_an_error_that_says_nothing_keeps_its_status_and_has_texts(here: Front, status: int, body: bytes) -> None:
    found = await error_seen(here, status, "application/json", body)
    assert (found[0], found[1].code) == (status, CODES[status])


async def test_an_error_gets_the_fields_that_its_status_needs(here: Front) -> None:
    for status, name in ((401, "WWW-Authenticate"), (405, "Allow"), (429, "Retry-After"), (503, "Retry-After")):
        path = here.service.on("/v1/bare", reply(b"", status=b"%d Error" % status))
        assert (await ask(here.gateway, "GET", path)).field(name)
        path = here.service.on("/v1/bare", reply(b"", f"{name}: 77".encode(), status=b"%d Error" % status))
        assert (await ask(here.gateway, "GET", path)).field(name) == "77"


@pytest.mark.parametrize(
    ("family", "undefined", "unreachable"),
    [("v1", 1004, 1004), ("analytics", 5000, 5001), ("notification", 7000, 7000)],
)
async def test_error_families(here: Front, family: str, undefined: int, unreachable: int) -> None:
    answer = await ask(here.gateway, "GET", here.service.on(f"/{family}/a", reply(b"", status=b"502 Bad Gateway")))
    assert (answer.status, enveloped(answer)["data"]["code"]) == (502, undefined)
    answer = await ask(here.gateway, "GET", here.service.on(f"/{family}/b", reply(b"{")))
    assert (answer.status, enveloped(answer)["data"]["code"]) == (503, undefined)
    answer = await ask(here.gateway, "GET", here.service.on(f"/{family}/c", reply(b"", status=b"404 Not Found")))
    assert (answer.status, enveloped(answer)["data"]["code"]) == (404, 1001)
    answer = await ask(here.gateway, "GET", f"/away/{'general' if family == 'v1' else family}")
    assert (answer.status, enveloped(answer)["data"]["code"]) == (503, unreachable)


async def test_operators_override_status_texts_and_links(here: Front) -> None:
    answer = await ask(here.gateway, "GET", "/nowhere")
    data = enveloped(answer)["data"]
    assert (answer.status, data["code"], data["message"], data["developerMessage"]) == (
        410,
        1005,
        "Gone",
        "Read the list of paths.",
    )
    assert data["links"] == [{"href": "https://docs.example.com/paths", "title": "Paths"}]
    answer = await ask(here.gateway, "GET", here.service.on("/v1/reset", End.RESET))
    assert (answer.status, enveloped(answer)["data"]["code"]) == (504, 4711)
    assert answer.field("Proxy-Status") == "gateway; error=connection_terminated"
    answer = await ask(here.gateway, "GET", "/v1/a", key=None)
    assert (answer.status, enveloped(answer)["data"]["links"][0]["title"]) == (401, "Keys")
    record = await here.gateway.record("gateway.reason", "no_route")
    assert (record["http.response.status_code"], record["gateway.code"]) == (410, 1005)
