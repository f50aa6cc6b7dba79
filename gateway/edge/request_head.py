"""What the parser lets through and HTTP does not: checks on a request's head, and the Exchange made of it."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import msgspec
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from multidict import CIMultiDict, istr

from gateway.exchange import Exchange
from gateway.kernel.faults import (
    EXPECTATION_FAILED,
    HEADERS_TOO_LARGE,
    HTTP_VERSION_UNSUPPORTED,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    TRANSFER_CODING_UNSUPPORTED,
    URL_TOO_LONG,
    GatewayError,
)
from gateway.kernel.http.request_headers import connection_options
from gateway.kernel.ids import Ids
from gateway.kernel.memo import Memo
from gateway.net.address import UNIX
from gateway.net.node_names import chain
from gateway.observe.trace import join

ALL_METHODS = "DELETE, GET, HEAD, PATCH, POST, PUT"
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::(\d{0,5}))?")  # RFC 9112 3.2: anything else is a 400
_ABSOLUTE = re.compile(r"https?://([^/?#@]+)(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE)
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]\r?\n")
_BEGUN_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [!-~]*(?: [HTP/1.0]*\r?)?)?")
_NOT_IN_A_LINE = re.compile(rb"[^ -~\r]")
_MOST_DIGITS = 18
_MOST_PORT = 65535
_REMEMBERED_HOSTS = 256
_HTTP10, _HTTP11 = (1, 0), (1, 1)
_HOST, _CONNECTION, _EXPECT = istr("Host"), istr("Connection"), istr("Expect")
_TRANSFER_ENCODING = istr("Transfer-Encoding")
_TRACEPARENT, _TRACESTATE = istr("traceparent"), istr("tracestate")
_PLAIN_CONNECTION = frozenset({"keep-alive", "close", "Keep-Alive", "Close"})

Network = IPv4Network | IPv6Network


class Limits(msgspec.Struct, frozen=True):
    """Of one listener. Sizes in bytes, times in seconds."""

    header_bytes: int
    url_bytes: int
    body_bytes: int
    header_timeout_s: float
    body_timeout_s: float
    idle_timeout_s: float
    connections: int


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a connection. `trusted` peers may say for whom they speak.

    `certificate_subject` is of the certificate that was verified, "" without one.
    """

    address: str
    scheme: str
    trusted: bool
    certificate_subject: str = ""


class RequestHeadChecker(msgspec.Struct, frozen=True):
    """Makes an Exchange of each request. One for each listener."""

    limits: Limits
    trusted: Sequence[Network]
    ids: Ids
    monotonic: Callable[[], float]
    trusts_unix: bool = False
    hosts: Memo[str, None] = msgspec.field(default_factory=lambda: Memo(_REMEMBERED_HOSTS))
    """Host fields that were found in order."""

    def trusts(self, address: str) -> bool:
        """Whether a peer at `address` may set X-Forwarded-* and Forwarded. "unix" has come through a unix socket."""
        if address == UNIX:
            return self.trusts_unix
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.trusted)

    def admit(self, message: Any, peer: Peer) -> Exchange:
        """The Exchange for a parsed head (aiohttp's RawRequestMessage); what is wrong with it stands in `head_error`."""
        headers = message.headers
        parent = headers.get(_TRACEPARENT)
        traceparent, trace_id = join(parent, self.ids)
        target = message.path
        path, _, query = target.partition("?")
        host = headers.get(_HOST, "")
        x = Exchange(  # by position: three times as fast as by name, and once a request
            self.ids.request(),
            self.monotonic(),
            message.method,
            path,
            query,
            headers,
            message.raw_headers,
            None,
            peer.address,
            self._client(headers, peer) if peer.trusted else peer.address,
            peer.scheme,
            host,
            traceparent,
            trace_id,
            peer.trusted,
        )
        if peer.certificate_subject:
            x.certificate_subject = peer.certificate_subject
        if _CONNECTION in headers:
            connection = headers.getall(_CONNECTION)
            if len(connection) > 1 or connection[0] not in _PLAIN_CONNECTION:
                x.withheld = connection_options(connection)
        if _TRACESTATE in headers and (parent is None or trace_id not in parent):
            x.withheld |= {b"tracestate"}  # it belongs to a trace that is not continued
        version = message.version
        if version != _HTTP11 and version != _HTTP10:
            x.head_error = GatewayError(HTTP_VERSION_UNSUPPORTED)
        elif (path[:1] != "/" and not self._absolute(x, target)) or not target.isascii() or "#" in target:
            x.head_error = _wrong("request target")
        elif (
            (x.host not in self.hosts and (wrong := self._wrong_host(x, x.host, version)))
            or (x.host is not host and (wrong := self._wrong_host(x, host, version)))  # RFC 9112 3.2: also where the target replaces it
            or ((message.chunked or _TRANSFER_ENCODING in headers) and (wrong := _wrong_coding(headers, version)))
        ):
            x.head_error = wrong
        elif len(target) > self.limits.url_bytes:
            x.head_error = GatewayError(URL_TOO_LONG)
        elif (expected := headers.get(_EXPECT)) is not None and expected.lower() != "100-continue":
            x.head_error = GatewayError(EXPECTATION_FAILED)
        return x

    def refuse(self, error: GatewayError, peer: Peer) -> Exchange:
        """An Exchange for something that never became a request."""
        traceparent, trace_id = join(None, self.ids)
        return Exchange(
            request_id=self.ids.request(),
            started=self.monotonic(),
            method="-",
            path="",
            query="",
            headers=CIMultiDict(),
            raw_headers=(),
            body=None,
            peer=peer.address,
            client=peer.address,
            scheme=peer.scheme,
            host="",
            traceparent=traceparent,
            trace_id=trace_id,
            head_error=error,
        )

    def undecided(self, error: Exception, data: bytes) -> bool:
        """Whether the rest of the line decides what to answer: an unknown method, or no request at all."""
        return isinstance(error, BadHttpMethod) and len(data) <= self.limits.url_bytes and _BEGUN_LINE.fullmatch(data) is not None

    def still_undecided(self, length: int, data: bytes) -> bool:
        """The same of a line of `length` bytes that was undecided before `data`, its newest part: only that is looked at."""
        return length <= self.limits.url_bytes and _NOT_IN_A_LINE.search(data) is None

    def unparsable(self, error: Exception, data: bytes) -> GatewayError:
        """What to answer when the parser raised `error` over `data`. Neither is quoted: a key may stand there."""
        if isinstance(error, LineTooLong):
            return GatewayError(URL_TOO_LONG if error.args[1] == self.line_limit else HEADERS_TOO_LARGE)
        if isinstance(error, BadHttpMethod) and _REQUEST_LINE.match(data):
            return GatewayError(METHOD_NOT_ALLOWED, allow=ALL_METHODS)
        if error.args and error.args[0] == "Too many headers received":
            return GatewayError(HEADERS_TOO_LARGE)
        return GatewayError(MALFORMED_REQUEST, cause=type(error).__name__)

    @property
    def line_limit(self) -> int:
        """The parser's limit on the URL; never equal to that on a field, so that its error tells which was broken."""
        return self.limits.url_bytes + (self.limits.url_bytes == self.limits.header_bytes)

    def _wrong_host(self, x: Exchange, host: str, version: tuple[int, int]) -> GatewayError | None:
        """What is wrong with a Host field or authority. A colon without a port (RFC 3986 3.2.3) is left out of that of `x`."""
        parts = _AUTHORITY.fullmatch(host)
        if parts is None:
            return None if not host and version == _HTTP10 else _wrong("Host field")
        if parts[1] and int(parts[1]) > _MOST_PORT:
            return _wrong("port in the Host field")
        if parts[1] == "":
            if x.host is host:
                x.host = host[:-1]
            return None
        self.hosts.keep(host, None)
        return None

    def _client(self, headers: Any, peer: Peer) -> str:
        """The nearest address in X-Forwarded-For that is not a trusted proxy's."""
        for address in reversed(chain(headers.getall("X-Forwarded-For", []))):
            try:
                ip_address(address)
            except ValueError:
                break
            if not self.trusts(address):
                return address
        return peer.address

    def _absolute(self, x: Exchange, target: str) -> bool:
        """Read an absolute-form target: its authority replaces Host (RFC 9112 3.2.2)."""
        parts = _ABSOLUTE.fullmatch(target)
        if parts is None:
            return False
        x.host, x.path, x.query = parts[1], parts[2] or "/", parts[3] or ""
        return True


def body_length(headers: Any) -> int | None:
    """The announced length in bytes, None for a body in chunks. The parser has checked that it is digits."""
    announced = headers.get("Content-Length")
    return None if announced is None else int(announced.lstrip("0")[: _MOST_DIGITS + 1] or "0")


def _wrong(what: str) -> GatewayError:
    return GatewayError(MALFORMED_REQUEST, developer_message=f"The {what} is not valid (RFC 9112). Correct it.")


def _wrong_coding(headers: Any, version: tuple[int, int]) -> GatewayError | None:
    if version == _HTTP10 or "Content-Length" in headers:
        return _wrong("framing of the body")
    coding = headers.getall("Transfer-Encoding")
    return None if len(coding) == 1 and coding[0].lower() == "chunked" else GatewayError(TRANSFER_CODING_UNSUPPORTED)
