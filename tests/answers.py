"""Answers of a backend, and what normalize makes of them."""

from typing import Any

import pytest

from gateway.exchange import Reply
from gateway.kernel.faults import Fault, GatewayError
from gateway.stages.normalize import normalize
from gateway.table import Envelope, Route
from gateway.upstream.call import Answer, UpstreamStream
from tests.envelope_schema import check_envelope
from tests.samples import REQUEST_ID, exchange, route

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain")
PNG = (b"content-type", b"image/png")
GZIP = (b"content-encoding", b"gzip")
MIB = 1 << 20


def answer_of(
    body: bytes = b'{"a":1}',
    *fields: tuple[bytes, bytes],
    status: int = 200,
    stream: UpstreamStream | None = None,
    length: int | None = None,
) -> Answer:
    return Answer(status, list(fields or (JSON,)), body, stream, len(body) if stream is None else length, "127.0.0.1:1")


def route_in(mode: Any = "auto", binary: Any = "passthrough", **changes: Any) -> Route:
    return route(envelope=Envelope(mode, MIB, binary), **changes)


def normalized(answer: Answer, route: Route | None = None, method: str = "GET") -> Reply:
    return normalize(answer, exchange(method=method), route or route_in())


def wrapped(answer: Answer, route: Route | None = None) -> dict[str, Any]:
    reply = normalized(answer, route)
    assert reply.stream is None
    assert reply.source == "upstream"
    envelope = check_envelope(reply.status, reply.fields, reply.body)
    assert envelope["requestId"] == REQUEST_ID
    assert reply.code == (envelope["data"]["code"] if reply.status >= 400 else 0)
    return envelope


async def read_all(reply: Reply) -> bytes:
    assert reply.stream is not None
    pieces = [reply.body]
    while piece := await reply.stream.read():
        pieces.append(piece)
    whole = b"".join([*pieces, reply.tail])
    assert reply.length in {None, len(whole)}
    return whole


def refused(answer: Answer, route: Route | None = None, method: str = "GET") -> Fault:
    with pytest.raises(GatewayError) as raised:
        normalized(answer, route, method)
    return raised.value.fault
