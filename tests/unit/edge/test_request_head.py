"""edge/request_head.py: an Exchange of each head, and what is wrong with it."""

import asyncio
import json
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import BadHttpMessage, BadHttpMethod, LineTooLong
from aiohttp.http_parser import HttpRequestParser
from multidict import CIMultiDict

from gateway.edge.request_head import ALL_METHODS, Peer, RequestHeadChecker, body_length
from gateway.exchange import Exchange
from gateway.kernel.faults import MALFORMED_REQUEST, GatewayError
from gateway.kernel.ids import Ids
from tests.raw_client import RawClient
from tests.unit.edge.listening import LIMITS, ask, listening

PEER = Peer("10.0.0.9", "http", trusted=False)
TRUSTED = Peer("10.0.0.9", "https", trusted=True, certificate_subject="CN=a")


def checker(**changes: Any) -> RequestHeadChecker:
    ordinary = RequestHeadChecker(
        LIMITS, [ip_network("10.0.0.0/8")], Ids(lambda n: bytes(range(256)) * (n // 256)), lambda: 7.0
    )
    return msgspec.structs.replace(ordinary, **changes)


def made(head: bytes, peer: Peer = PEER, one: RequestHeadChecker | None = None) -> Exchange:
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 1 << 16, max_line_size=8190, max_field_size=8190)
        messages, _, _ = parser.feed_data(head)
        return (one or checker()).to_exchange(messages[0][0], peer)
    finally:
        loop.close()


def fault_of(x: Exchange) -> str | None:
    return None if x.head_error is None else x.head_error.fault.name


def test_an_exchange_has_what_the_head_has() -> None:
    x = made(b"GET /a?b=%20 HTTP/1.1\r\nHost: h:80\r\nX-A: b\r\n\r\n")
    assert (x.method, x.path, x.query, x.host, x.scheme, x.started) == ("GET", "/a", "b=%20", "h:80", "http", 7.0)
    assert (x.peer, x.client, x.trusted_peer, x.certificate_subject, x.head_error) == (
        "10.0.0.9",
        "10.0.0.9",
        False,
        "",
        None,
    )
    assert x.headers.raw == ((b"Host", b"h:80"), (b"X-A", b"b"))


def test_a_trusted_peer_names_its_client() -> None:
    x = made(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1, 198.51.100.9, 10.1.1.1\r\n\r\n", TRUSTED)
    assert (x.client, x.certificate_subject) == ("198.51.100.9", "CN=a")
    assert (
        made(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1, unknown\r\n\r\n", TRUSTED).client
        == "10.0.0.9"
    )


@pytest.mark.parametrize(
    ("address", "trusts_unix", "trusted"),
    [
        ("10.1.2.3", False, True),
        ("192.0.2.1", False, False),
        ("unix", True, True),
        ("unix", False, False),
        ("?", True, False),
    ],
)
def test_who_is_trusted(address: str, *, trusts_unix: bool, trusted: bool) -> None:
    assert checker(trusts_unix=trusts_unix).trusts(address) is trusted


@pytest.mark.parametrize(
    ("fields", "withheld"),
    [
        (b"Connection: keep-alive\r\n", frozenset()),
        (b"Connection: close, X-A\r\n", frozenset({b"close", b"x-a"})),
        (b"tracestate: a=b\r\n", frozenset({b"tracestate"})),
        (b"traceparent: 00-%b-%b-01\r\ntracestate: a=b\r\n" % (b"a" * 32, b"b" * 16), frozenset()),
    ],
)
def test_fields_that_are_not_forwarded(fields: bytes, withheld: frozenset[bytes]) -> None:
    assert made(b"GET /a HTTP/1.1\r\nHost: h\r\n%b\r\n" % fields).withheld >= withheld
    assert (b"tracestate" in withheld) == (
        b"tracestate" in made(b"GET /a HTTP/1.1\r\nHost: h\r\n%b\r\n" % fields).withheld
    )


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        (b"GET /a HTTP/1.0\r\n", None),
        (b"GET http://h?b HTTP/1.1\r\nHost: other\r\n", None),
        (b"GET ftp://h/a HTTP/1.1\r\nHost: h\r\n", "malformed_request"),
        (b"GET /a HTTP/1.1\r\nHost: h:70000\r\n", "malformed_request"),
        (b"GET http://h/a HTTP/1.1\r\nHost: a b\r\n", "malformed_request"),
        (b"GET /a HTTP/2.0\r\nHost: h\r\n", "http_version_unsupported"),
        (b"GET /%b HTTP/1.1\r\nHost: h\r\n" % (b"a" * 2000), "url_too_long"),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n", "expectation_failed"),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n", None),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n", "transfer_coding_unsupported"),
        (b"POST /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n", "malformed_request"),
    ],
)
def test_what_is_wrong_with_a_head(head: bytes, fault: str | None) -> None:
    assert fault_of(made(head + b"\r\n")) == fault


def test_a_colon_without_a_port_is_removed_and_valid_hosts_are_remembered_in_bounds() -> None:
    one = checker()
    assert made(b"GET /a HTTP/1.1\r\nHost: h:\r\n\r\n", one=one).host == "h"
    assert made(b"GET http://h/a HTTP/1.1\r\nHost: other:\r\n\r\n", one=one).host == "h"
    for number in range(300):
        made(b"GET /a HTTP/1.1\r\nHost: h%d\r\n\r\n" % number, one=one)
    assert 0 < len(one.hosts) <= 256


@pytest.mark.parametrize(
    ("error", "data", "fault"),
    [
        (LineTooLong(b"x", LIMITS.url_bytes), b"", "url_too_long"),
        (LineTooLong(b"x", LIMITS.header_bytes), b"", "headers_too_large"),
        (BadHttpMethod("x"), b"BREW /pot HTTP/1.1\r\n", "method_not_allowed"),
        (BadHttpMethod("x"), b"SSH-2.0\r\n", "malformed_request"),
        (BadHttpMessage("x"), b"", "malformed_request"),
        (ValueError("Too many headers received"), b"", "headers_too_large"),
        (ValueError(), b"", "malformed_request"),
    ],
)
def test_the_answer_to_what_cannot_be_parsed(error: Exception, data: bytes, fault: str) -> None:
    found = checker().parse_error(error, data)
    assert (found.fault.name, found.allow) == (fault, ALL_METHODS if fault == "method_not_allowed" else None)


@pytest.mark.parametrize(("url_bytes", "limit"), [(1024, 1024), (LIMITS.header_bytes, LIMITS.header_bytes + 1)])
def test_the_limits_of_the_url_and_of_a_field_differ(url_bytes: int, limit: int) -> None:
    assert checker(limits=msgspec.structs.replace(LIMITS, url_bytes=url_bytes)).line_limit == limit


def test_what_is_no_request_is_an_exchange_too() -> None:
    x = checker().error_exchange(GatewayError(MALFORMED_REQUEST), PEER)
    assert (x.method, x.client, fault_of(x)) == ("-", "10.0.0.9", "malformed_request")


@pytest.mark.parametrize(("announced", "length"), [(None, None), ("12", 12), ("0", 0), ("000", 0), ("0" * 30 + "7", 7)])
def test_the_announced_length(announced: str | None, length: int | None) -> None:
    assert body_length(CIMultiDict({} if announced is None else {"Content-Length": announced})) == length


@pytest.mark.parametrize("host", [b"h:", b"[::1]:", b"h:80", b"1.2.3.4:"])
async def test_a_port_may_be_empty(host: bytes) -> None:
    """RFC 9110 7.2 and RFC 3986 3.2.3: a port is any number of digits, none included."""
    assert (await ask(b"GET /a HTTP/1.1\r\nHost: %b\r\n\r\n" % host))[0] == 200


@pytest.mark.parametrize("host", [b"api.example..", b"api..example", b".example", b".", b"..", b"example..:80"])
async def test_a_name_with_an_empty_label_is_refused(host: bytes) -> None:
    assert (await ask(b"GET /a HTTP/1.1\r\nHost: %b\r\n\r\n" % host))[0] == 400
    assert (await ask(b"GET http://%b/a HTTP/1.1\r\nHost: h\r\n\r\n" % host))[0] == 400


async def test_an_absolute_target_replaces_host() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        await client.send(
            b"GET http://other:1/a?b HTTP/1.1\r\nHost: h\r\n\r\nGET https://other HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        first, second = json.loads((await client.reply()).body), json.loads((await client.reply()).body)
        assert (first["host"], first["path"], first["query"]) == ("other:1", "/a", "b")
        assert (second["host"], second["path"]) == ("other", "/")


async def test_a_colon_without_a_port_is_no_part_of_a_host() -> None:
    async with listening() as (_, port), await RawClient.connect(port) as client:
        for request in (
            b"GET /a HTTP/1.1\r\nHost: h:",
            b"GET http://h:/a HTTP/1.1\r\nHost: h:",
            b"GET http://h/a HTTP/1.1\r\nHost: other:",
        ) * 2:
            await client.send(request + b"\r\n\r\n")
            assert json.loads((await client.reply()).body)["host"] == "h"


@pytest.mark.parametrize("host", ["[::1]:", "[2001:db8::1]", "h:65535", "api.example.", "api.example.:80"])
async def test_other_authorities_are_in_order(host: str) -> None:
    assert (await ask(f"GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()))[0] == 200


async def test_only_a_trusted_peer_names_the_client_it_forwards_for() -> None:
    request = b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.1, 198.51.100.9, 127.0.0.9\r\n\r\n"
    for trusted, client in (((), "127.0.0.1"), (("127.0.0.0/8",), "198.51.100.9"), (("0.0.0.0/0",), "127.0.0.1")):
        async with listening(trusted=trusted) as (_, port), await RawClient.connect(port) as raw:
            await raw.send(request)
            assert json.loads((await raw.reply()).body)["client"] == client
    async with listening(trusted=("127.0.0.1/32",)) as (_, port), await RawClient.connect(port) as raw:
        await raw.send(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: unknown\r\n\r\n")
        assert json.loads((await raw.reply()).body)["client"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.1:1111", "203.0.113.1"),
        ("203.0.113.1, 198.51.100.9:443, 127.0.0.9:80", "198.51.100.9"),
        ("[2001:db8::1]:5", "2001:db8::1"),
        ("203.0.113.1, [2001:db8::1], ::ffff:127.0.0.9", "2001:db8::1"),
        ("203.0.113.1,, ,", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("203.0.113.1, unknown, 127.0.0.9", "127.0.0.1"),
    ],
)
async def test_ports_and_empty_elements_of_the_chain_count_for_nothing(chain: str, client: str) -> None:
    async with listening(trusted=("127.0.0.0/8",)) as (_, port), await RawClient.connect(port) as raw:
        await raw.send(f"GET /a HTTP/1.1\r\nHost: h:\r\nX-Forwarded-For: {chain}\r\n\r\n".encode())
        seen = json.loads((await raw.reply()).body)
        assert (seen["client"], seen["host"]) == (client, "h")


@pytest.mark.parametrize(
    ("method", "lines", "asks"),
    [
        ("GET", ("Connection: Upgrade", "Upgrade: WebSocket"), True),
        ("GET", ("Connection: keep-alive, upgrade", "Upgrade: websocket"), True),
        ("GET", ("Connection: Upgrade", "Upgrade: h2c"), False),
        ("GET", ("Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"), False),
        ("GET", ("Connection: close", "Upgrade: websocket"), False),
        ("GET", ("Connection: Upgrade",), False),
        ("POST", ("Connection: Upgrade", "Upgrade: websocket"), False),
    ],
)
def test_a_handshake_of_a_websocket(method: str, lines: tuple[str, ...], *, asks: bool) -> None:
    head = "\r\n".join([f"{method} /a HTTP/1.1", "Host: h", *lines, "", ""])
    assert made(head.encode()).upgrade == asks


def test_http_1_0_has_no_handshakes() -> None:
    assert not made(b"GET /a HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").upgrade


@pytest.mark.parametrize(
    ("request_bytes", "length"),
    [
        (b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", None),
        (b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 3),
    ],
)
def test_a_plain_request_is_an_exchange_without_further_checks(request_bytes: bytes, length: int | None) -> None:
    one = checker()
    for _ in range(3):  # its field lines are known from the second time on
        request = one.plain_requests.read(request_bytes)
        assert request is not None
        x = one.exchange(request.line, request.headers, PEER, request.body)
        assert (x.host, x.head_error, None if x.body is None else x.body.length) == ("h", None, length)


@pytest.mark.parametrize(
    ("host", "plain", "fault"),
    [
        (b"h", True, None),
        (b"[::1]:65535", True, None),
        (b"h:", False, None),
        (b"a..b", False, "malformed_request"),
        (b".a", False, "malformed_request"),
        (b"h:80:", False, "malformed_request"),
        (b"h:65536", False, "malformed_request"),
    ],
)
def test_a_request_whose_host_is_wrong_or_has_to_be_changed_is_not_plain(
    host: bytes, fault: str | None, *, plain: bool
) -> None:
    one, get = checker(), b"GET /a HTTP/1.1\r\nHost: %b\r\n\r\n" % host
    for _ in range(2):
        assert (one.plain_requests.read(get) is not None) == plain
        assert fault_of(made(get, one=one)) == fault
