"""What the parser lets through and HTTP does not: checks on a request's head, and the Exchange made of it."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import msgspec
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from multidict import CIMultiDict

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
from gateway.kernel.headers import connection_options
from gateway.kernel.ids import Ids
from gateway.observe.trace import join

ALL_METHODS = "DELETE, GET, HEAD, PATCH, POST, PUT"
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::(\d{1,5}))?")  # RFC 9112 3.2: anything else is a 400
_ABSOLUTE = re.compile(r"https?://([^/?#@]+)(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE)
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]\r?\n")
_MOST_DIGITS = 18
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


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a connection. `trusted` peers may say for whom they speak."""

    address: str
    scheme: str
    trusted: bool


class Door(msgspec.Struct, frozen=True):
    """Makes an Exchange of each request. One for each listener."""

    limits: Limits
    trusted: Sequence[Network]
    ids: Ids
    monotonic: Callable[[], float]

    def trusts(self, address: str) -> bool:
        """Whether a peer at `address` may set X-Forwarded-* and Forwarded."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.trusted)

    def admit(self, message: Any, peer: Peer) -> Exchange:
        """The Exchange for a parsed head (aiohttp's RawRequestMessage); what is wrong with it stands in `door_error`."""
        headers = message.headers
        traceparent, trace_id = join(headers.get("traceparent"), self.ids)
        target = message.path
        path, _, query = target.partition("?")
        x = Exchange(
            request_id=self.ids.request(),
            started=self.monotonic(),
            method=message.method,
            path=path,
            query=query,
            headers=headers,
            raw_headers=message.raw_headers,
            body=None,
            peer=peer.address,
            client=self._client(headers, peer) if peer.trusted else peer.address,
            scheme=peer.scheme,
            host=headers.get("Host") or "",
            trusted_peer=peer.trusted,
            traceparent=traceparent,
            trace_id=trace_id,
        )
        connection = headers.getall("Connection", None)
        if connection is not None and (len(connection) > 1 or connection[0] not in _PLAIN_CONNECTION):
            x.withheld = connection_options(connection)
        if "tracestate" in headers and trace_id not in headers.get("traceparent", ""):
            x.withheld |= {b"tracestate"}  # it belongs to a trace that is not continued
        if message.version != (1, 1) and message.version != (1, 0):
            x.door_error = GatewayError(HTTP_VERSION_UNSUPPORTED)
        elif path[:1] != "/" and not self._absolute(x, target):
            x.door_error = _wrong("request target")
        elif not target.isascii() or "#" in target:
            x.door_error = _wrong("request target")
        elif (wrong := _wrong_host(x.host, message.version)) or (wrong := _wrong_framing(message)):
            x.door_error = wrong
        elif len(target) > self.limits.url_bytes:
            x.door_error = GatewayError(URL_TOO_LONG)
        else:
            expected = headers.get("Expect")
            if expected is not None and expected.lower() != "100-continue":
                x.door_error = GatewayError(EXPECTATION_FAILED)
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
            door_error=error,
            traceparent=traceparent,
            trace_id=trace_id,
        )

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

    def _client(self, headers: Any, peer: Peer) -> str:
        """The nearest address in X-Forwarded-For that is not a trusted proxy's."""
        chain = [address.strip() for value in headers.getall("X-Forwarded-For", []) for address in value.split(",")]
        for address in reversed(chain):
            try:
                ip_address(address)
            except ValueError:
                break
            if not self.trusts(address):
                return str(address)
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


def _wrong_host(host: str, version: tuple[int, int]) -> GatewayError | None:
    parts = _HOST.fullmatch(host)
    if parts is None:
        return None if not host and version == (1, 0) else _wrong("Host field")
    return _wrong("port in the Host field") if parts[1] and int(parts[1]) > 65535 else None


def _wrong_framing(message: Any) -> GatewayError | None:
    coding = message.headers.getall("Transfer-Encoding", None)
    if coding is None:
        return None
    if message.version == (1, 0) or "Content-Length" in message.headers:
        return _wrong("framing of the body")
    if len(coding) > 1 or coding[0].lower() != "chunked":
        return GatewayError(TRANSFER_CODING_UNSUPPORTED)
    return None
