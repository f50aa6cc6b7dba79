"""The service behind `gateway demo`: encodings in memory, and an example of each way in which a service fails.

It is an ordinary service that does not know the gateway or its envelope. It prints its port, and serves until its
standard input ends, so that it never outlives the gateway.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NoReturn

from aiohttp import web

from gateway.kernel.ids import Ids

ENCODINGS = "/v1/encoding/encodings"
EXAMPLES = "/v1/examples"
_KEPT = 1000
"""The number of encodings that are kept; the oldest is dropped first, because a demo may run for weeks."""


class Encodings:
    """The handlers that create, read, list and delete encodings."""

    def __init__(self) -> None:
        self._ids = Ids(os.urandom)
        self._by_id: dict[str, dict[str, str]] = {}

    async def create(self, request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
        except ValueError:
            return _problem(400, "The body is not JSON.")
        name = wanted.get("name") if isinstance(wanted, dict) else None
        if not isinstance(name, str):
            wrong = "must be a string" if name else "is required"
            return _problem(422, "An encoding needs a name.", errors=[{"field": "name", "detail": wrong}])
        if len(self._by_id) >= _KEPT:
            del self._by_id[next(iter(self._by_id))]
        made = self._ids.request()
        self._by_id[made] = encoding = {"id": made, "name": name, "status": "CREATED"}
        return web.json_response(encoding, status=201, headers={"Location": f"{ENCODINGS}/{made}"})

    async def list(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp's signature
        return web.json_response({"totalCount": len(self._by_id), "items": list(islice(self._by_id.values(), 25))})

    async def read(self, request: web.Request) -> web.Response:
        encoding = self._by_id.get(request.match_info["id"])
        return _problem(404, "There is no such encoding.") if encoding is None else web.json_response(encoding)

    async def delete(self, request: web.Request) -> web.Response:
        encoding = self._by_id.pop(request.match_info["id"], None)
        return _problem(404, "There is no such encoding.") if encoding is None else web.Response(status=204)


def _problem(status: int, detail: str, **more: object) -> web.Response:
    """Return an error in the format of RFC 9457."""
    return web.json_response(
        {"title": "Bad request", "detail": detail, **more}, status=status, content_type="application/problem+json"
    )


async def crash(request: web.Request) -> web.Response:  # noqa: ARG001  aiohttp's signature
    return web.Response(
        status=500, content_type="text/html", text="<html><body><h1>Internal Server Error</h1></body></html>"
    )


async def garbage(request: web.Request) -> web.Response:  # noqa: ARG001  aiohttp's signature
    return web.Response(content_type="application/json", text='{"half": ')


async def hang_up(request: web.Request) -> NoReturn:
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError


async def never(request: web.Request) -> NoReturn:  # noqa: ARG001  aiohttp's signature
    await asyncio.Event().wait()
    raise AssertionError


async def sign(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG001  aiohttp's signature
    """Names the service in the header field Server, so that its library is not mistaken for the gateway's."""
    response.headers["Server"] = "example-service"


def application() -> web.Application:
    encodings = Encodings()
    app = web.Application()
    app.on_response_prepare.append(sign)
    app.add_routes(
        [
            web.post(ENCODINGS, encodings.create),
            web.get(ENCODINGS, encodings.list),
            web.get(f"{ENCODINGS}/{{id}}", encodings.read),
            web.delete(f"{ENCODINGS}/{{id}}", encodings.delete),
            web.get(f"{EXAMPLES}/crash", crash),
            web.get(f"{EXAMPLES}/garbage", garbage),
            web.get(f"{EXAMPLES}/hang-up", hang_up),
            web.get(f"{EXAMPLES}/never", never),
        ]
    )
    return app


async def serve() -> None:
    # No client waits for replies any more: the gateway has ended or has drained. (For aiohttp, 0 means no limit.)
    runner = web.AppRunner(application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.buffer.read)
    await runner.cleanup()


@contextmanager
def running(module: str = __spec__.name, *more: str) -> Iterator[int]:
    """Run a service in a process of its own, which Ctrl-C does not reach; give its port on 127.0.0.1.

    Raises OSError when it does not start.
    """
    # -P: a folder called `gateway` in the current directory is not this package.
    arguments = [sys.executable, "-P", "-m", module, *more]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        try:
            first_line = service.stdout.readline()
            if not first_line:
                raise OSError("the example service did not start; what it said stands above")
            yield int(first_line)
        finally:
            service.stdin.close()


if __name__ == "__main__":
    asyncio.run(serve())
