"""The service behind `gateway mock`. It prints its port, and serves until its standard input ends."""

import asyncio
import json
import random
import sys
from collections.abc import Sequence
from typing import BinaryIO

from aiohttp import web

from gateway.cli.mock.replies import MockApi
from gateway.openapi.load import load_document


class MockService:
    """Answers requests by `api`, after a time between `fastest_s` and `slowest_s`."""

    def __init__(self, api: MockApi, fastest_s: float, slowest_s: float) -> None:
        self._api = api
        self._fastest_s = fastest_s
        self._slowest_s = slowest_s

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, of which the body is read and not looked at."""
        await request.read()
        wait_s = random.uniform(self._fastest_s, self._slowest_s)  # noqa: S311  no secret
        if wait_s:
            await asyncio.sleep(wait_s)
        reply = self._api.reply(request.method, request.path, request.headers.get("Prefer", ""))
        headers = {"Server": "mock-service", **reply.fields}
        if reply.media_type:
            headers["Content-Type"] = reply.media_type
        return web.Response(status=reply.status, body=reply.body, headers=headers)


async def serve(arguments: Sequence[str], lifeline: BinaryIO) -> None:
    """Serve the documents that the first one of `arguments` names, in JSON with the options of the command.

    Return when `lifeline` ends.
    """
    options = json.loads(arguments[0])
    documents = [load_document(name)[0] for name in options["documents"]]
    service = MockService(
        MockApi(documents, options["errors"], random.random), options["fastest_s"], options["slowest_s"]
    )
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(lifeline.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:], sys.stdin.buffer))
