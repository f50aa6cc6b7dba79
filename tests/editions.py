"""Two editions of one configuration, and services that repeat what they are told: each part of a reply says whose it is.

The plan stands in the limit's field and is told to the service, the upstream in the body, the route in a field of its own.
A reply whose parts belong to different editions was decided by a mixture of the two.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from tests.gateway_process import KEY, configuration, digest

EDITIONS = {"a": 1_000_001, "b": 2_000_002}
"""By name, with how much a caller may do in a minute."""
_PARTS = (
    re.compile(rb"\r\nx-edition: (\w+)"),
    re.compile(rb"\r\nx-ratelimit-limit-minute: (\d+)"),
    re.compile(rb'"service":"(\w+)"'),
    re.compile(rb'"plan":"(\w+)"'),
)
_WHOLE = {(name.encode(), str(limit).encode(), name.encode(), name.encode()) for name, limit in EDITIONS.items()}
_TOLD = re.compile(rb"\r\nx-caller-plan: (\w+)", re.IGNORECASE)


def written(edition: str, services: Mapping[str, int], **sections: str) -> str:
    """The YAML of an edition; `services` are ports by edition, `sections` as in `configuration`."""
    return configuration(
        services[edition],
        **{
            "plans": f"[{{id: {edition}, limits: [{{id: minute, max: {EDITIONS[edition]}, per: 1m}}]}}]",
            "keys": f"[{{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: {edition}}}]",
            "upstreams": f'[{{id: backend, targets: [{{url: "http://127.0.0.1:{services[edition]}"}}], timeouts: {{connect: 10s}}}}]',
            "routes": f"[{{id: all, match: {{prefix: /v1}}, upstream: backend, headers: {{response: {{set: {{X-Edition: {edition}}}}}}}}}]",
        }
        | sections,
    )


def mixed(head: bytes, body: bytes) -> str:
    """What is wrong with a reply: "" if all of it is of one edition."""
    found = tuple(match[1] if (match := part.search(head + body)) else b"" for part in _PARTS)
    return "" if found in _WHOLE else f"of no single edition {found}"


@asynccontextmanager
async def services() -> AsyncIterator[dict[str, int]]:
    """One for each edition, by port."""
    async with AsyncExitStack() as stack:
        found = {}
        for name in EDITIONS:
            server = await asyncio.get_running_loop().create_server(lambda name=name: _Service(name), "127.0.0.1", 0)  # type: ignore[misc]
            await stack.enter_async_context(server)
            found[name] = server.sockets[0].getsockname()[1]
        yield found


class _Service(asyncio.Protocol):
    """One connection: GET, without bodies."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for head in heads:
            told = _TOLD.search(head)
            body = b'{"service":"%b","plan":"%b"}' % (self._name, told[1] if told else b"")
            lines = (b"HTTP/1.1 200 OK", b"Content-Type: application/json", b"Content-Length: %d" % len(body), b"", body)
            self._transport.write(b"\r\n".join(lines))
