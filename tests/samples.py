"""Ordinary values of the types that stages work on; a test names only what matters to it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from gateway.exchange import Exchange
from gateway.kernel.http.request_fields import HeadFacts, HeadForm, RequestHeaders
from gateway.kernel.http.request_headers import FieldFilter
from gateway.kernel.http.response_headers import FieldRules
from gateway.kernel.limits.ratelimit_headers import limit_fields
from gateway.kernel.limits.token_bucket import Window, claim
from gateway.table import Caller, Envelope, Key, Keyring, Route
from gateway.table.public_urls import UrlMapping
from gateway.upstream.call import Answer, Call

T = TypeVar("T")

MINUTE = Window("minute", 300, 60_000_000, "Minute")
BUCKET, ORGANIZATION_BUCKET = "{acme}:b", "{acme}:o"
REQUEST_ID = "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"


class Echo:
    """A Sender that keeps its calls and gives one answer."""

    def __init__(self, answer: Answer | BaseException | None = None) -> None:
        self.id = "orders"
        self.calls: list[Call] = []
        self.answer = answer or Answer(
            200, [(b"content-type", b"application/json")], b'{"a":1}', None, 7, "127.0.0.1:1"
        )

    async def send(self, call: Call) -> Answer:
        self.calls.append(call)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Pieces:
    """A Body, or a Stream, of given pieces; an exception among them is raised."""

    def __init__(self, *pieces: bytes | Exception, length: int | None = None) -> None:
        self._pieces = list(pieces)
        self.length = length
        self.received = self.unread = 0
        self.closed = False
        self.held_s = self.waited_s = 0.0

    def take_whole(self) -> bytes | None:
        return None

    async def read(self) -> bytes:
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        self.received += len(piece)
        return piece

    def close(self) -> None:
        self.closed = True


def keyring(
    shown: Mapping[bytes, Key], certified: Mapping[str, Key] | None = None, named: Mapping[str, Key] | None = None
) -> Keyring:
    """Of these keys by the digest of their secret, by the subject of their certificate, and by their id."""
    return Keyring(_or_none(shown), _or_none(certified or {}), _or_none(named or {}))


def _or_none(keys: Mapping[T, Key]) -> dict[T, Key | None]:
    return defaultdict(lambda: None, keys)


def exchange(fields: Iterable[tuple[str, str]] = (), **changes: Any) -> Exchange:
    """A GET of /v1/orders with the header `fields`."""
    ordinary: dict[str, Any] = {
        "request_id": REQUEST_ID,
        "started": 0.0,
        "method": "GET",
        "path": "/v1/orders",
        "query": "",
        "headers": RequestHeaders.of_text(fields),
        "body": None,
        "peer": "192.0.2.7",
        "client": "192.0.2.7",
        "scheme": "http",
        "host": "api.example.com",
        "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-00",
        "trace_id": "a" * 32,
    }
    return Exchange(**(ordinary | changes))


def known_lines(*fields: tuple[str, str]) -> RequestHeaders:
    """The header `fields` as lines that have come before, of which nothing is known but their names."""
    lines = b"".join([f"{name}: {value}\r\n".encode() for name, value in fields]) + b"\r\n"
    read = RequestHeaders.of_text(fields)
    facts = HeadFacts(HeadForm(read.shape, read.get("Host") or "", keeps_open=True, length=0))
    return RequestHeaders(read.shape, None, lines, facts)


def caller(**changes: Any) -> Caller:
    """The key acme-ci with 300 a minute."""
    call, peek = (claim(BUCKET, (MINUTE,), cost, limit_fields((MINUTE,))) for cost in (1, 0))
    ordinary = Caller(
        "acme-ci", "acme", "standard", BUCKET, ORGANIZATION_BUCKET, call, peek, b"X-Caller-Id: acme-ci\r\n"
    )
    return msgspec.structs.replace(ordinary, **changes)


def route(pattern: str = "/v1/orders", **changes: Any) -> Route:
    """A route to an `Echo`."""
    ordinary: dict[str, Any] = {
        "id": "orders",
        "pattern": pattern,
        "prefix": False,
        "methods": ("GET", "POST", "PUT", "PATCH", "DELETE"),
        "upstream": Echo(),
        "host": b"Host: orders.internal\r\n",
        "base": "",
        "strip_segments": 0,
        "envelope": Envelope("auto", 1 << 20, "passthrough"),
        "family": "general",
        "open": False,
        "open_plan": "",
        "open_windows": (),
        "open_tag": None,
        "tariff": None,
        "request_filter": FieldFilter([b"x-api-key"]),
        "request_fields": b"",
        "response_set": (),
        "response_rules": FieldRules(),
        "own_set": (),
        "privacy": (),
        "organization_field": "X-Tenant-Org-Id",
        "url_mapping": UrlMapping(),
        "prefix_field": "",
        "unsaid": (),
        "connect_timeout_s": 1.0,
        "first_byte_timeout_s": 10.0,
        "total_timeout_s": 30.0,
        "idle_timeout_s": 60.0,
        "events_idle_timeout_s": 600.0,
        "subject_field": "X-Client-Certificate-Subject",
    }
    chosen = ordinary | changes
    if "GET" in chosen["methods"]:
        chosen["methods"] = (*chosen["methods"], "HEAD")
    return Route(**chosen)
