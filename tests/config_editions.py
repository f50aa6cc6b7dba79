"""Two editions of one configuration; each part of a reply identifies the edition that produced it.

The limit's header field identifies the plan, the service repeats the caller's plan, the body identifies the upstream,
and a header field of its own the route. A reply whose parts belong to different editions was decided by a mixture of
the two.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from tests.gateway_process import KEY, configuration, digest

EDITIONS = {"a": 1_000_001, "b": 2_000_002}
"""The limit of calls in a minute, by the name of the edition."""
_PARTS = (
    re.compile(rb"\r\nx-edition: (\w+)"),
    re.compile(rb"\r\nx-ratelimit-limit-minute: (\d+)"),
    re.compile(rb'"service":"(\w+)"'),
    re.compile(rb'"plan":"(\w+)"'),
)
_WHOLE = {(name.encode(), str(limit).encode(), name.encode(), name.encode()) for name, limit in EDITIONS.items()}
_CALLER_PLAN = re.compile(rb"\r\nx-caller-plan: (\w+)", re.IGNORECASE)


def written(edition: str, services: Mapping[str, int], **sections: str) -> str:
    """The YAML text of an edition. `services` are ports by edition; `sections` are those of `configuration`."""
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
    """A description of what is wrong with a reply, "" if all of it belongs to one edition."""
    found = tuple(match[1] if (match := part.search(head + body)) else b"" for part in _PARTS)
    return "" if found in _WHOLE else f"of no single edition {found}"


@asynccontextmanager
async def services() -> AsyncIterator[dict[str, int]]:
    """Starts one service for each edition; gives their ports by edition."""
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
            plan = _CALLER_PLAN.search(head)
            body = b'{"service":"%b","plan":"%b"}' % (self._name, plan[1] if plan else b"")
            lines = (
                b"HTTP/1.1 200 OK",
                b"Content-Type: application/json",
                b"Content-Length: %d" % len(body),
                b"",
                body,
            )
            self._transport.write(b"\r\n".join(lines))
