"""Makes an Exchange of the head of a request, and checks in it what the parser accepts and HTTP forbids."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import msgspec
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from msgspec.structs import force_setattr

from gateway.edge.plain_request import PlainRequestReader
from gateway.edge.request_body import WholeBody
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
from gateway.kernel.http.request_fields import RequestHeaders, RequestLine
from gateway.kernel.http.request_headers import connection_options
from gateway.kernel.ids import Ids
from gateway.kernel.memo import Memo
from gateway.net.address import UNIX
from gateway.net.node_names import chain
from gateway.observe.trace import join

ALL_METHODS = "DELETE, GET, HEAD, PATCH, POST, PUT"
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::(\d{0,5}))?")
"""RFC 9112 3.2: anything else is answered with 400."""
_ABSOLUTE = re.compile(r"https?://([^/?#@]+)(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE)
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]\r?\n")
_MOST_DIGITS = 18
_MOST_PORT = 65535
_REMEMBERED_HOSTS = 256
_HTTP10, _HTTP11 = (1, 0), (1, 1)
_HOST, _CONNECTION, _EXPECT, _TRANSFER_ENCODING = "host", "connection", "expect", "transfer-encoding"
_TRACEPARENT, _TRACESTATE = "traceparent", "tracestate"
_PLAIN_CONNECTION = frozenset({"keep-alive", "close", "Keep-Alive", "Close"})

Network = IPv4Network | IPv6Network


class HeadLimits(msgspec.Struct, frozen=True):
    """The limits of one listener. Sizes are in bytes, times in seconds."""

    header_bytes: int
    url_bytes: int
    body_bytes: int
    header_timeout_s: float
    body_timeout_s: float
    idle_timeout_s: float
    connections: int


class Peer(msgspec.Struct, frozen=True):
    """The other end of a connection. A `trusted` peer may name the client that it forwards for.

    `certificate_subject` is the subject of the certificate that was verified, "" without one.
    """

    address: str
    scheme: str
    trusted: bool
    certificate_subject: str = ""


class RequestHeadChecker(msgspec.Struct, frozen=True):
    """Makes an Exchange of each request of a listener.

    `trusted` are the networks of peers that may set X-Forwarded-* and Forwarded; `trusts_unix` says the same of peers
    on a unix socket. `monotonic` reads seconds. `hosts` remembers Host fields that were found to be valid.
    """

    limits: HeadLimits
    trusted: Sequence[Network]
    ids: Ids
    monotonic: Callable[[], float]
    trusts_unix: bool = False
    hosts: Memo[str, None] = msgspec.field(default_factory=lambda: Memo(_REMEMBERED_HOSTS))
    plain_requests: PlainRequestReader = None  # type: ignore[assignment]  # `__post_init__` makes it

    def __post_init__(self) -> None:
        force_setattr(
            self, "plain_requests", PlainRequestReader(self.plain_bytes, self.ids.entropy, self.is_valid_host)
        )

    def trusts(self, address: str) -> bool:
        """Return whether a peer at `address` may set X-Forwarded-* and Forwarded. "unix" stands for a unix socket."""
        if address == UNIX:
            return self.trusts_unix
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.trusted)

    def to_exchange(self, message: Any, peer: Peer) -> Exchange:
        """Return the Exchange for a parsed head (aiohttp's RawRequestMessage).

        Its `head_error` says what is wrong with it.
        """
        headers = RequestHeaders.of(message.raw_headers)
        target, version = message.path, message.version
        path, _, query = target.partition("?")
        x = self.exchange(RequestLine(message.method, path, query), headers, peer)
        host = x.host
        if _CONNECTION in headers:
            connection = headers.getall(_CONNECTION, [])
            if len(connection) > 1 or connection[0] not in _PLAIN_CONNECTION:
                x.withheld = connection_options(connection)
                x.upgrade = message.upgrade and _is_handshake(message)
        if _TRACESTATE in headers and x.trace_id not in (headers.get(_TRACEPARENT) or ""):
            x.withheld |= {b"tracestate"}  # it belongs to a trace that is not continued
        if version != _HTTP11 and version != _HTTP10:
            x.head_error = GatewayError(HTTP_VERSION_UNSUPPORTED)
        elif (x.path[:1] != "/" and not self._absolute(x, target)) or not target.isascii() or "#" in target:
            x.head_error = _wrong("request target")
        else:
            x.head_error = (
                self.wrong_host(x, x.host, version)
                # also where the target replaces it
                or (None if x.host is host else self.wrong_host(x, host, version))
                or (_wrong_coding(headers, version) if message.chunked or _TRANSFER_ENCODING in headers else None)
            )
            if x.head_error is None:
                x.head_error = self._excessive(target, headers)
        return x

    def exchange(self, line: RequestLine, headers: RequestHeaders, peer: Peer, body: bytes = b"") -> Exchange:
        """Return the Exchange for a head: of a plain request as it is, of another one before any check.

        `body` is that of a plain request.
        """
        traceparent, trace_id, request_id = self.ids.begin()
        facts = headers.facts
        if facts is not None:  # there is no `traceparent` among lines that are remembered
            host = facts.form.host
        else:
            host = headers.get(_HOST) or ""
            if (given := headers.get(_TRACEPARENT)) is not None:
                traceparent = join(given, traceparent)
                trace_id = traceparent[3:35]
        address = peer.address
        return Exchange(  # by position: three times as fast as by name, and made for each request
            request_id,
            self.monotonic(),
            line.method,
            line.path,
            line.query,
            headers,
            WholeBody(body, self.limits.body_bytes) if body else None,
            address,
            self._client(headers, peer) if peer.trusted else address,
            peer.scheme,
            host,
            traceparent,
            trace_id,
            peer.trusted,
            peer.certificate_subject,
            line if line.remembered else line.alike,
        )

    def _excessive(self, target: str, headers: RequestHeaders) -> GatewayError | None:
        if len(target) > self.limits.url_bytes:
            return GatewayError(URL_TOO_LONG)
        expected = headers.get(_EXPECT)
        return None if expected is None or expected.lower() == "100-continue" else GatewayError(EXPECTATION_FAILED)

    def error_exchange(self, error: GatewayError, peer: Peer) -> Exchange:
        """Return the Exchange for `error`, when what has arrived is not a request."""
        x = self.exchange(RequestLine("-", "", ""), RequestHeaders.of(()), peer)
        x.head_error = error
        return x

    def parse_error(self, error: Exception, data: bytes) -> GatewayError:
        """Return the answer when the parser has raised `error` for `data`.

        Neither is quoted, because they may contain a key.
        """
        if isinstance(error, LineTooLong):
            return GatewayError(URL_TOO_LONG if error.args[1] == self.line_limit else HEADERS_TOO_LARGE)
        if isinstance(error, BadHttpMethod) and _REQUEST_LINE.match(data):
            return GatewayError(METHOD_NOT_ALLOWED, allow=ALL_METHODS)
        if error.args and error.args[0] == "Too many headers received":
            return GatewayError(HEADERS_TOO_LARGE)
        return GatewayError(MALFORMED_REQUEST, cause=type(error).__name__)

    @property
    def plain_bytes(self) -> int:
        """The largest head of a plain request: one within all limits, whatever its parts are."""
        return min(self.limits.url_bytes, self.limits.header_bytes)

    @property
    def line_limit(self) -> int:
        """The parser's limit for the URL.

        It differs from that for a field, so that the error shows which one was exceeded.
        """
        return self.limits.url_bytes + (self.limits.url_bytes == self.limits.header_bytes)

    def is_valid_host(self, host: str) -> bool:
        """Return whether `host` is valid as a Host field, and needs no change."""
        if host in self.hosts:
            return True
        parts = _authority(host)
        if parts is None or parts[1] == "" or int(parts[1] or 0) > _MOST_PORT:
            return False
        self.hosts.keep(host, None)
        return True

    def wrong_host(self, x: Exchange, host: str, version: tuple[int, int] = _HTTP11) -> GatewayError | None:
        """Return what is wrong with a Host field or authority, or None.

        A colon without a port (RFC 3986 3.2.3) is removed from `x`.
        """
        if self.is_valid_host(host):
            return None
        parts = _authority(host)
        if parts is None:
            return None if not host and version == _HTTP10 else _wrong("Host field")
        if parts[1]:
            return _wrong("port in the Host field")
        if x.host is host:
            x.host = host[:-1]
        return None

    def _client(self, headers: Any, peer: Peer) -> str:
        """Return the last address in X-Forwarded-For that is not one of a trusted proxy."""
        for address in reversed(chain(headers.getall("X-Forwarded-For", []))):
            try:
                ip_address(address)
            except ValueError:
                break
            if not self.trusts(address):
                return address
        return peer.address

    def _absolute(self, x: Exchange, target: str) -> bool:
        """Read a target in absolute form, whose authority replaces Host (RFC 9112 3.2.2).

        Return whether it has that form.
        """
        parts = _ABSOLUTE.fullmatch(target)
        if parts is None:
            return False
        x.host, x.path, x.query = parts[1], parts[2] or "/", parts[3] or ""
        return True


def body_length(headers: Any) -> int | None:
    """Return Content-Length in bytes, or None for a body in chunks.

    The parser has checked that it consists of digits.
    """
    announced = headers.get("Content-Length")
    return None if announced is None else int(announced.lstrip("0")[: _MOST_DIGITS + 1] or "0")


def _authority(host: str) -> re.Match[str] | None:
    """Return a host and its port, None if it is not valid.

    A name with an empty label is not, because a service may read it as a name for which there are stricter routes.
    """
    return None if ".." in host or host[:1] == "." else _AUTHORITY.fullmatch(host)


def _is_handshake(message: Any) -> bool:
    """Whether WebSocket is asked for, and nothing else. Other protocols are ignored (RFC 9110, 7.8), such as h2c."""
    if message.method != "GET" or message.version != _HTTP11:
        return False
    return [value.lower() for value in message.headers.getall("Upgrade", [])] == ["websocket"]


def _wrong(what: str) -> GatewayError:
    return GatewayError(MALFORMED_REQUEST, developer_message=f"The {what} is not valid (RFC 9112). Correct it.")


def _wrong_coding(headers: Any, version: tuple[int, int]) -> GatewayError | None:
    if version == _HTTP10 or "Content-Length" in headers:
        return _wrong("framing of the body")
    coding = headers.getall("Transfer-Encoding", [])
    return None if len(coding) == 1 and coding[0].lower() == "chunked" else GatewayError(TRANSFER_CODING_UNSUPPORTED)
