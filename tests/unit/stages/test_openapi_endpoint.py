"""stages/openapi_endpoint.py: the document for a caller, or a file for everybody, as it is, or 304."""

import json

import pytest

from gateway.exchange import Exchange, Reply
from gateway.net.static_files import static_file
from gateway.openapi.publish.exporting import PublishedDocument
from gateway.settings import parse
from gateway.stages.openapi_endpoint import openapi_endpoint
from gateway.table import Caller
from tests.samples import caller, exchange, route

DOCUMENT = PublishedDocument(
    parse(
        """
version: 1
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
  - {id: open, upstream: u, match: {path: /open, methods: [GET]}, auth: none}
  - {id: orders, upstream: u, match: {path: /orders, methods: [GET]}}
"""
    ),
    {},
)


FILE = static_file("page.html", b"<p>")


async def served(x: Exchange, one: Caller, pattern: str = "/openapi.json") -> Reply:
    return await openapi_endpoint(x, route(pattern, document=DOCUMENT), one)


@pytest.mark.parametrize("x", [exchange(header_keys=["k"]), exchange(query_keys=["k"])])
async def test_a_key_is_shown_what_it_may_use(x: Exchange) -> None:
    reply = await served(x, caller())
    assert (reply.status, reply.source, set(json.loads(reply.body)["paths"])) == (200, "gateway", {"/open", "/orders"})
    narrow = await served(x, caller(routes=frozenset({"other"})))
    assert set(json.loads(narrow.body)["paths"]) == {"/open"}
    fields = dict(reply.fields)
    assert (fields["Content-Type"], fields["Cache-Control"]) == ("application/json", "private, no-cache")
    assert fields["ETag"] != dict(narrow.fields)["ETag"]


async def test_strangers_are_shown_what_is_open() -> None:
    assert set(json.loads((await served(exchange(), caller())).body)["paths"]) == {"/open"}


async def test_yaml() -> None:
    reply = await served(exchange(), caller(), "/openapi.yaml")
    assert dict(reply.fields)["Content-Type"] == "application/yaml"
    assert reply.body.startswith(b"openapi: 3.1.0\n")


@pytest.mark.parametrize(("sent", "status"), [("%s", 304), ('"a", W/%s', 304), ("*", 304), ('"a"', 200)])
async def test_who_has_it_already_gets_no_body(sent: str, status: int) -> None:
    tag = dict((await served(exchange(), caller())).fields)["ETag"]
    reply = await served(exchange([("If-None-Match", sent.replace("%s", tag))]), caller())
    assert (reply.status, reply.body == b"", dict(reply.fields)["ETag"]) == (status, status == 304, tag)


async def test_a_file_is_sent_as_it_is() -> None:
    one = route("/docs", file=FILE)
    reply = await openapi_endpoint(exchange(), one, caller())
    assert (reply.status, reply.body, reply.source, reply.fields) == (200, b"<p>", "gateway", list(FILE.fields))
    known = await openapi_endpoint(exchange([("If-None-Match", FILE.tag)]), one, caller())
    assert (known.status, known.body, dict(known.fields)["ETag"]) == (304, b"", FILE.tag)
    assert "Content-Type" not in dict(known.fields)


async def test_what_cannot_be_reached_is_not_shown() -> None:
    hosted = PublishedDocument(
        parse(
            """
version: 1
server: {listeners: [{id: public, address: "127.0.0.1:1"}, {id: inner, address: "127.0.0.1:2"}]}
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes:
  - {id: near, upstream: u, match: {path: /near, methods: [GET]}, auth: none, allow: [10.0.0.0/8]}
  - {id: inner, upstream: u, match: {path: /inner, methods: [GET], listener: inner}, auth: none}
  - {id: host, upstream: u, match: {path: /host, methods: [GET], host: api.example.com}, auth: none}
"""
        ),
        {},
    )

    async def paths(x: Exchange, listener: str) -> dict[str, object]:
        x.client = "10.0.0.1"
        reply = await openapi_endpoint(x, route("/openapi.json", document=hosted, match_listener=listener), caller())
        found = json.loads(reply.body)["paths"]
        return {path: found[path]["get"].get("servers") for path in found}

    other = [{"url": "http://api.example.com/"}]
    assert await paths(exchange(host="localhost"), "public") == {"/near": None, "/host": other}
    assert await paths(exchange(host="api.example.com"), "inner") == {"/near": None, "/inner": None, "/host": None}
