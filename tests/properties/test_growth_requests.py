"""Whatever comes from a client costs time linear in its bytes, and little for each.

Each input is filled with patterns that are known to be expensive: what opens and never closes, what separates, what
escapes, what is empty. The input takes the whole way, through the parser, the head checker and the stages, so that no
change of one of them goes around the test.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser

from gateway.edge import proxy_protocol
from gateway.edge.certificates import Certificates
from gateway.edge.plain_request import plain_request
from gateway.edge.request_head import HeadLimits, Peer, RequestHeadChecker
from gateway.exchange import Exchange
from gateway.kernel.http.accept import quality
from gateway.kernel.http.compression import CompressionRules
from gateway.kernel.http.cors import cors_policy
from gateway.kernel.ids import Ids
from gateway.kernel.key_format import without_keys
from gateway.kernel.websocket import FrameTracker
from gateway.observe.access_log import printable
from gateway.observe.redact import redactor
from gateway.pipeline import Gateway
from gateway.table import Envelope
from tests import in_memory_gateway
from tests.growth import Work, check_growth, check_rate
from tests.samples import route
from tests.untrusted import BODY_BYTES, HEAD_BYTES, LARGE, NOTHING, REQUEST_FIELDS, TARGET_UNITS, UNITS, fill, shown


class Front:
    """A request's head on its way through both readers, the head checker and the stages, up to an echo."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        limits = HeadLimits(LARGE, LARGE, LARGE, 1.0, 1.0, 1.0, 100)
        trusted = [in_memory_gateway.NETWORK]
        self._checker = RequestHeadChecker(limits, trusted, Ids(os.urandom), lambda: 1.0)
        everything = Envelope("auto", LARGE, "passthrough")
        self._gateway: Gateway = in_memory_gateway.gateway(
            route("/keyed", prefix=True, envelope=everything, compression=CompressionRules(("zstd", "br", "gzip"), 0)),
            route("/open", id="open", prefix=True, open=True, envelope=everything),
        )

    def close(self) -> None:
        self._loop.close()

    def work(self, head: bytes) -> Work:
        protocol = BaseProtocol(self._loop)
        parser = HttpRequestParser(protocol, self._loop, 1 << 16, max_line_size=LARGE, max_field_size=LARGE)
        protocol._parser = parser
        return lambda: self._serve(parser, head)

    def _serve(self, parser: HttpRequestParser, head: bytes) -> None:
        plain_request(head, LARGE)
        try:
            messages, _, _ = parser.feed_data(head)
        except Exception as error:
            self._checker.parse_error(error, head)
            return
        x: Exchange = self._checker.to_exchange(messages[0][0], Peer("10.0.0.9", "http", trusted=True))
        self._loop.run_until_complete(self._gateway.handle(x, in_memory_gateway.Client().send))


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    made = Front()
    yield made
    made.close()


def get(target: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, b"Host: a", *fields, b"", b""])


KEY = b"X-Api-Key: known-key"
TARGETS: dict[str, Callable[[bytes], bytes]] = {
    "path": lambda filling: get(b"/" + filling, KEY),
    "path of a route": lambda filling: get(b"/keyed/" + filling, KEY),
    "query": lambda filling: get(b"/open?+" + filling),
    "query beside a key": lambda filling: get(b"/keyed?x-api-key=known-key&%41" + filling, KEY),
    "absolute": lambda filling: get(b"http://" + filling, KEY),
    "method": lambda filling: filling + b" / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("unit", TARGET_UNITS, ids=shown)
@pytest.mark.parametrize("location", TARGETS)
def test_a_target(front: Front, location: str, unit: bytes) -> None:
    check_growth(lambda size: front.work(TARGETS[location](fill(unit, size))), HEAD_BYTES)


@pytest.mark.parametrize("unit", UNITS, ids=shown)
def test_a_request_field(front: Front, unit: bytes) -> None:
    def work(name: str, size: int) -> Work:
        return front.work(get(b"/keyed", KEY, name.encode() + b": " + fill(unit, size)))

    for name in REQUEST_FIELDS:
        check_growth(partial(work, name), HEAD_BYTES)


MANY: dict[str, Callable[[int], bytes]] = {
    "fields": lambda size: get(b"/open", *[b"a%06d: 1" % number for number in range(size // 12)]),
    "of one name": lambda size: get(b"/open", *[b"a: 1"] * (size // 6)),
    "cookies": lambda size: get(b"/keyed", KEY, *[b"Cookie: a=known-key"] * (size // 21)),
    "keys": lambda size: get(
        b"/" + fill(b"%41", size // 2), *[b"X-Api-Key: k%07d" % number for number in range(size // 42)]
    ),
    "keys in a query": lambda size: get(
        b"/" + fill(b"%41", size // 2) + b"?" + b"&".join([b"X-Api-Key=k%07d" % number for number in range(size // 38)])
    ),
    "keys and fields": lambda size: get(
        b"/open?" + b"&".join([b"X-Api-Key=k%07d" % number for number in range(8)]),
        *[b"A: " + fill(b"%41", 60)] * (size // 66),
    ),
    "organisations": lambda size: get(
        b"/keyed", KEY, *[b"X-Tenant-Org-Id: o%d" % number for number in range(size // 24)]
    ),
    "hops": lambda size: get(b"/open", *[b"X-Forwarded-For: 10.0.0.1"] * (size // 27)),
    "options": lambda size: get(b"/open", *[b"Connection: a%d" % number for number in range(size // 18)]),
}


@pytest.mark.parametrize("kind", MANY)
def test_many_fields(front: Front, kind: str) -> None:
    check_growth(lambda size: front.work(MANY[kind](size)), 2 * HEAD_BYTES)


def test_a_head_costs_little(front: Front) -> None:
    for unit in TARGET_UNITS:
        check_rate(
            lambda size, unit=unit: front.work(TARGETS["query beside a key"](fill(unit, size))),  # type: ignore[misc]
            lambda size: front.work(TARGETS["query beside a key"](fill(NOTHING, size))),
            4 * HEAD_BYTES,
        )
        check_rate(
            lambda size, unit=unit: front.work(get(b"/keyed", KEY, b"X-Anything: " + fill(unit, size))),  # type: ignore[misc]
            lambda size: front.work(get(b"/keyed", KEY, b"X-Anything: " + fill(NOTHING, size))),
            4 * HEAD_BYTES,
        )


@pytest.mark.parametrize("unit", [*UNITS, b"https://a.", b".a.example", b"*."], ids=shown)
def test_the_origin_of_a_page(unit: bytes) -> None:
    pages = cors_policy(
        ("https://a.example", "https://*.a.example"),
        methods=(),
        headers=(),
        expose=(),
        credentials=False,
        max_age_s=1,
    )
    text = unit.decode("latin-1")
    check_growth(
        lambda size: lambda: pages.fields(f"https://{text * (size // len(unit))}.a.example", preflight=True),
        BODY_BYTES,
    )


@pytest.mark.parametrize(
    "unit", [b"\x81", b"\x81\x00", b"\x81\x80abcd", b"\x82\x01x", b"\x82\x7f", b"\x00" * 1024], ids=shown
)
def test_the_frames_of_a_websocket(unit: bytes) -> None:
    def work(size: int) -> Work:
        data = fill(unit, size)

        def follow() -> None:
            whole, pieces = FrameTracker(), FrameTracker()
            whole.follow(data)
            for at in range(0, size, 7):
                pieces.follow(data[at : at + 7], to_boundary=at % 2 == 0)

        return follow

    check_growth(work, BODY_BYTES)


@pytest.mark.parametrize("unit", UNITS, ids=shown)
def test_the_header_of_a_proxy(unit: bytes) -> None:
    def work(size: int) -> Work:
        begins = [
            b"PROXY " + fill(unit, size),
            b"PROXY TCP4 " + fill(unit, size),
            b"\r\n\r\n\0\r\nQUIT\n!\x11" + fill(unit, size),
        ]

        def read() -> None:
            for begin in begins:
                try:
                    proxy_protocol.size(begin)
                    proxy_protocol.client_address(begin + b"\r\n")
                except proxy_protocol.ProxyHeaderError:
                    continue

        return read

    check_growth(work, BODY_BYTES)


@pytest.mark.parametrize("unit", UNITS, ids=shown)
def test_the_name_that_a_client_asks_for(unit: bytes) -> None:
    certificates = Certificates.__new__(Certificates)
    certificates._by_name = {}
    name = unit.decode("latin-1")
    check_growth(lambda size: lambda: certificates._choose(None, name * (size // len(unit)), None), HEAD_BYTES)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "unit",
    [*UNITS, b"api_key ", b"api_key: ", b"x-api-key =", b"bearer ", b"authorization: basic ", b"?a=", b"://a@"],
    ids=shown,
)
def test_a_line_of_the_log(unit: bytes) -> None:
    hide = redactor(["X-Api-Key"])
    text = unit.decode("latin-1")
    check_growth(lambda size: lambda: hide(None, "info", {"event": "=" + text * (size // len(unit))}), 4 * HEAD_BYTES)
    check_growth(lambda size: lambda: printable(text * (size // len(unit))), 4 * HEAD_BYTES)


@pytest.mark.parametrize(
    "unit", [*UNITS, b"gw_", b"gw_" + b"a" * 31 + b".", b"gw_" + b"a" * 40, b"gzip;q=", b"gzip;" * 3 + b","], ids=shown
)
def test_a_scrape_and_a_key_in_a_path(unit: bytes) -> None:
    text = unit.decode("latin-1")
    check_growth(lambda size: lambda: quality(text * (size // len(unit)), "gzip"), 2 * HEAD_BYTES)
    check_growth(lambda size: lambda: without_keys(text * (size // len(unit))), 2 * HEAD_BYTES)


def test_the_measure_itself() -> None:
    """What grows with the square is found."""
    with pytest.raises(AssertionError, match="four times as many"):
        check_growth(lambda size: lambda: [size for _ in range(size) for _ in range(size)], 500)
    with pytest.raises(AssertionError, match="beyond the normal way"):
        check_rate(lambda size: lambda: sum(range(100 * size)), lambda size: lambda: None, 10_000)
