"""Hostile requests: their parts, what has to become of them, and the list of all.

A variant's `replies` are words in the order of the replies: a status, or several with `|` of which each will do; at the
end `end` when the connection must close after them, `open` when it must not. With ` or ` between them there are several
ways. Whoever is forwarded must arrive at the backend as `reached` says (method, target, body), request by request: by
default `GET /v1/t` for each reply that is a 200.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tests.gateway_process import KEY

KEY_FIELD = b"X-Api-Key: " + KEY.encode()
HOST_FIELD = b"Host: h"
MARK = "smuggled"
"""Stands in every request and field that must not reach the backend."""

URL_BYTES = 2048
HEADER_BYTES = 8192
BODY_BYTES = 100_000
"""The limits that the variants are made for."""


class Variant(NamedTuple):
    """`method` matters for HEAD only. After an `unfinished` one the client sends no more."""

    name: str
    raw: bytes
    replies: str
    reached: tuple[str, ...] | None = None
    method: str = "GET"
    unfinished: bool = False


def request(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """The lines as they are, and nothing else."""
    return b"\r\n".join([line, *fields, b"", body])


def get(*fields: bytes, target: bytes = b"/v1/t", method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    """A request in good order, with `fields` after its own."""
    return request(b"%b %b %b" % (method, target, version), HOST_FIELD, KEY_FIELD, *fields)


def post(body: bytes, *fields: bytes) -> bytes:
    """Without framing fields: these are among `fields`."""
    return request(b"POST /v1/t HTTP/1.1", HOST_FIELD, KEY_FIELD, *fields, body=body)


def chunked(body: bytes) -> bytes:
    return post(body, b"Transfer-Encoding: chunked")


SMUGGLED = get(target=b"/v1/" + MARK.encode())


def number(variants: Iterable[Variant]) -> list[Variant]:
    """The variants, with names that are their own."""
    found: dict[str, Variant] = {}
    for variant in variants:
        name = variant.name
        count = 1
        while name in found:
            count += 1
            name = f"{variant.name} ({count})"
        found[name] = variant._replace(name=name)
    return list(found.values())
