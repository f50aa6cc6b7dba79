"""What services call their bodies, and what they are: charsets, marks, codings, files, pages, entity tags."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes import reply
from tests.journeys.backends import Front, ask, enveloped, fields, front

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES = """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: files, match: {prefix: /files}, upstream: backend, envelope: {binary: passthrough}}
- {id: through, match: {prefix: /through}, upstream: backend, envelope: {mode: passthrough}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Front]:
    async with front(routes=ROUTES) as built:
        yield built


def typed(kind: str, body: bytes, *more: bytes) -> bytes:
    """A reply of a content type."""
    return b"\r\n".join(
        [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), b"Content-Type: " + kind.encode(), *more, b"", body]
    )


@pytest.mark.parametrize("kind", ["image/png", "text/html", "application/xml", "text/csv", "application/x-ndjson"])
async def test_what_is_neither_json_nor_plain_text_is_refused(here: Front, kind: str) -> None:
    answer = await ask(here.gateway, "GET", here.service.on("/v1/file", typed(kind, b"\x89PNG")))
    assert answer.status == 503
    assert "envelope.binary: passthrough" in enveloped(answer)["data"]["developerMessage"]


async def test_a_route_may_pass_it_on(here: Front) -> None:
    path = here.service.on("/files/image", typed("image/png", b"\x89PNG", b'ETag: "1"', b"Accept-Ranges: bytes"))
    answer = await ask(here.gateway, "GET", path)
    assert answer.field("Accept-Ranges") is None
    assert (answer.body, answer.field("Content-Type"), answer.field("ETag")) == (b"\x89PNG", "image/png", '"1"')
    assert answer.field("X-Request-Id")


async def test_pages_in_a_services_own_units_are_asked_for_and_wrapped(here: Front) -> None:
    page = reply(b"[1,2]", b"Content-Range: items 0-1/9", b"Accept-Ranges: items", status=b"206 Partial Content")
    answer = await ask(here.gateway, "GET", here.service.on("/v1/items", page), "Range: items=0-1")
    assert (answer.status, enveloped(answer)["data"]["result"]) == (206, [1, 2])
    assert (answer.field("Content-Range"), answer.field("Accept-Ranges")) == ("items 0-1/9", "items")
    assert fields(here.service.at("/v1/items")[0], "Range") == ["items=0-1"]


async def test_a_tag_goes_to_the_client_and_comes_back(here: Front) -> None:
    path = here.service.on("/v1/tagged", reply(b"{}", b'ETag: "v1"'))
    tag = (await ask(here.gateway, "GET", path)).field("ETag")
    here.service.on(path, b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nContent-Length: 2\r\n\r\n')
    answer = await ask(here.gateway, "GET", path, f'If-None-Match: {tag}, "x"')
    assert (answer.status, answer.field("Content-Length"), answer.field("ETag")) == (304, None, 'W/"v1"')
    assert fields(here.service.at(path)[1], "If-None-Match") == ['"v1", "x"']


async def test_a_304_never_has_a_length(here: Front) -> None:
    for path in ("/v1/same", "/through/same"):
        here.service.on(path, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nContent-Type: text/html\r\n\r\n")
        for method in ("GET", "HEAD"):
            answer = await ask(here.gateway, method, path)
            assert (answer.status, answer.field("Content-Length"), answer.body) == (304, None, b"")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'\xef\xbb\xbf{"a":"\xc3\xbc"}'),
        ("application/json", '{"a":"ü"}'.encode("utf-16")),
        ("application/json; charset=ISO-8859-1", b'{"a":"\xfc"}'),
        ("application/json; charset=utf-16", '{"a":"ü"}'.encode("utf-16-le")),
        ("application/json; charset=latin1", '{"a":"ü"}'.encode("latin-1")),
        ("application/json; charset=no-charset", '{"a":"ü"}'.encode()),
        ("application/x-amz-json-1.1", '{"a":"ü"}'.encode()),
        ("application/octet-stream", b'\xef\xbb\xbf {"a":"\xc3\xbc"}'),
        ("application/vnd.x.v1.json; charset=GB18030", '{"a":"ü"}'.encode("gb18030")),
        ("*/*", '{"a":"ü"}'.encode()),
        ("json", '{"a":"ü"}'.encode()),
    ],
)
@pytest.mark.parametrize("coding", [b"UTF-8", b"none", b"binary, aws-chunked", b"identity, utf8"])
async def test_json_in_every_guise_is_json(here: Front, kind: str, body: bytes, coding: bytes) -> None:
    answer = await ask(
        here.gateway, "GET", here.service.on("/v1/guise", typed(kind, body, b"Content-Encoding: " + coding))
    )
    assert (answer.status, enveloped(answer)["data"]["result"]) == (200, {"a": "ü"})
    assert answer.field("Content-Encoding") is None


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 7", b"Content-Length: 7"), (b"Content-Length: 7, 7",), (b"Content-Length : 7",), (b"Content-Length: 7", b"X-XSS-Protection : 1"),
    ],
)  # fmt: skip
async def test_heads_that_http_says_how_to_mend(here: Front, lines: tuple[bytes, ...]) -> None:
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Type: application/json", *lines, b"", b'{"a":1}'])
    answer = await ask(here.gateway, "GET", here.service.on("/v1/mended", head))
    assert (answer.status, enveloped(answer)["data"]["result"]) == (200, {"a": 1})


async def test_links_of_a_header_field_run_nothing(here: Front) -> None:
    link = b'Link: <javascript:alert(1)>; rel="next", </v1/next>; rel="next"'
    answer = await ask(here.gateway, "GET", here.service.on("/v1/linked", typed("application/json", b"{}", link)))
    assert answer.field("Link") == '</v1/next>; rel="next"'


@pytest.mark.parametrize(
    "secret",
    [
        "<img src=x onerror=alert(1)>", "&lt;svg/onload=alert(1)&gt;", "%3Ciframe src=//e%3E", "javascript:alert(1)", "postgres://app:s3cret@db/x",
        "Server=db;Database=x;Password=s3cret", "x at com.example.Secret.run(Secret.java:7)", 'x Traceback (most recent call last): File "s.py", line 7',
    ],
)  # fmt: skip
@pytest.mark.parametrize("enveloped_by", ["nobody", "the service"])
async def test_what_is_not_to_be_shown_is_shown_nowhere(here: Front, secret: str, enveloped_by: str) -> None:
    link = {"href": secret, "title": secret}
    data = {
        "code": 4711, "message": secret, "developerMessage": secret, "links": [link, {"href": f"https://x/{secret}", "title": "t"}],
        "details": [{"id": "1", "type": "ERROR", "text": secret, "field": secret, "links": [link], "more": {"a": [secret]}}],
    }  # fmt: skip
    body = (
        data
        if enveloped_by == "nobody"
        else {"requestId": "a", "status": "ERROR", "data": data, "more": {secret: secret}}
    )
    raw = json.dumps(body).encode()
    head = (
        b'HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: %d\r\nWarning: 299 - "%b"\r\n\r\n'
        % (
            len(raw),
            secret.encode(),
        )
    )
    answer = await ask(here.gateway, "GET", here.service.on("/v1/secret", head, raw))
    shown = answer.body.decode() + str(answer.fields)
    assert enveloped(answer)["status"] == "ERROR"
    assert [
        word
        for word in ("onerror", "onload", "iframe", "javascript", "s3cret", "@db", "Secret", "s.py")
        if word in shown
    ] == []
    assert enveloped(answer)["data"]["code"] == (4711 if enveloped_by == "the service" else 1004)
