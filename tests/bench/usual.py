"""The usual proxy in Python: aiohttp's server and client, redis-py, prometheus-client and logging as they come.

    python -m tests.bench.usual PORT TLS_PORT SERVICE_PORT REDIS_PORT KEYS CERTIFICATE

It does the gateway's whole job as far as the benchmark asks for it, the way that a first version of it would be
written.
"""

import asyncio
import hashlib
import json
import logging
import math
import ssl
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio
import uvloop
from aiohttp import web
from prometheus_client import Counter, Histogram

BUCKET = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local price, whole = ARGV[1] + 0, ARGV[2] + 0
local full = math.max((redis.call('GET', KEYS[1]) or 0) + 0, now)
if full + price > now + whole then
  return {0, full - now}
end
full = full + price
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PXAT', math.ceil(full / 1000) + 1000)
return {1, full - now}
"""
NOT_PASSED_ON = {
    "connection",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
    "host",
    "content-length",
    "accept-encoding",
}
NOT_PASSED_BACK = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "server",
}

requests_total = Counter("requests_total", "Requests.", ["method", "status", "source"])
duration = Histogram("duration_seconds", "Duration of requests.", ["method"])
log = logging.getLogger("access")


def error(status: int, code: int, text: str) -> web.Response:
    data = {"code": code, "message": text, "developerMessage": text, "links": [], "details": []}
    return web.json_response({"requestId": str(uuid.uuid4()), "status": "ERROR", "data": data}, status=status)


@web.middleware
async def recorded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    begun = time.perf_counter()
    response = await handler(request)
    took = time.perf_counter() - begun
    requests_total.labels(
        request.method, str(response.status), "upstream" if response.status < 400 else "gateway"
    ).inc()
    duration.labels(request.method).observe(took)
    line = {
        "method": request.method,
        "path": request.path,
        "status": response.status,
        "ms": took * 1e3,
        "client": request.remote,
    }
    log.info(json.dumps({**line, "caller": request.get("caller"), "remaining": request.get("remaining")}))
    return response


class Proxy:
    def __init__(self, service: int, store: int, keys: dict[str, tuple[str, str, int, int]]) -> None:
        self.service = f"http://127.0.0.1:{service}"
        self.keys = keys
        self.redis = redis.asyncio.Redis(port=store, max_connections=8192)
        self.bucket = self.redis.register_script(BUCKET)
        self.session: aiohttp.ClientSession | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if not request.path.startswith("/v1/orders/"):
            return error(404, 1005, "No route matches this path.")
        caller = self.keys.get(hashlib.sha256(request.headers.get("X-Api-Key", "").encode()).hexdigest())
        if caller is None:
            return error(401, 1002, "The API key is not known.")
        name, organization, most, seconds = caller
        request["caller"] = name
        price, whole = seconds * 1e6 / most, seconds * 1e6
        allowed, used = await self.bucket(keys=[f"usual:{name}"], args=[price, whole])
        request["remaining"] = left = int((whole - used) // price)
        limits = {"X-RateLimit-Limit-Minute": str(most), "X-RateLimit-Remaining-Minute": str(left)}
        if not allowed:
            refused = error(429, 8000, "The rate limit is spent.")
            refused.headers.update({**limits, "Retry-After": str(max(1, math.ceil((used + price - whole) / 1e6)))})
            return refused
        return await self.forwarded(request, name, organization, limits)

    async def forwarded(
        self, request: web.Request, name: str, organization: str, limits: dict[str, str]
    ) -> web.StreamResponse:
        self.session = self.session or aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256))
        request_id = str(uuid.uuid4())
        headers = {each: value for each, value in request.headers.items() if each.lower() not in NOT_PASSED_ON}
        headers |= {"X-Caller-Id": name, "X-Caller-Organization": organization, "X-Request-Id": request_id}
        headers |= {
            "X-Forwarded-For": request.remote or "",
            "X-Forwarded-Proto": request.scheme,
            "X-Forwarded-Host": request.host,
        }
        data = await request.read() or None
        async with self.session.request(
            request.method, self.service + request.raw_path, headers=headers, data=data
        ) as answer:
            found: Any = await answer.json()
            passed = {each: value for each, value in answer.headers.items() if each.lower() not in NOT_PASSED_BACK}
        if not (isinstance(found, dict) and {"requestId", "status", "data"} <= found.keys()):
            found = {"status": "SUCCESS", "data": {"result": found}}
        found["requestId"] = request_id
        return web.json_response(found, status=answer.status, headers=passed | limits | {"X-Request-Id": request_id})


def main(port: int, tls_port: int, service: int, store: int, keys: str, certificate: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with Path(keys).open() as lines:
        known = {
            digest: (name, organization, int(most), int(s))
            for digest, name, organization, most, s in map(str.split, lines)
        }
    proxy = Proxy(service, store, known)

    async def serve() -> None:
        app = web.Application(middlewares=[recorded])
        app.router.add_route("*", "/{path:.*}", proxy.serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        await web.TCPSite(runner, "127.0.0.1", tls_port, backlog=8192, ssl_context=context).start()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=8192).start()
        await asyncio.Event().wait()  # until the process is ended from outside

    uvloop.run(serve())


if __name__ == "__main__":
    port, tls_port, service, store = map(int, sys.argv[1:5])
    main(port, tls_port, service, store, *sys.argv[5:7])
