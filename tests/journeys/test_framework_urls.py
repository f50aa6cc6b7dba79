"""Frameworks mounted below a prefix: wherever they send a client, it arrives at the gateway, with its cookies."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import aiohttp
import flask
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from tests.gateway_process import KEY, configuration, running


def fastapi_app() -> FastAPI:
    app = FastAPI()

    @app.get("/items/")
    async def items(request: Request, response: Response) -> dict[str, Any]:
        response.set_cookie("seen", "1")
        return {
            "url": str(request.url),
            "keys": request.headers.getlist("x-api-key"),
            "seen": request.cookies.get("seen"),
        }

    @app.post("/items/", status_code=201)
    async def create(request: Request, response: Response) -> dict[str, Any]:
        response.headers["Location"] = str(request.url_for("items"))
        return {}

    return app


def flask_app() -> flask.Flask:
    app = flask.Flask("shop")

    @app.get("/items/")
    def items() -> Any:
        seen = {
            "url": flask.request.url,
            "keys": flask.request.headers.getlist("X-Api-Key"),
            "seen": flask.request.cookies.get("seen"),
        }
        answer = flask.jsonify(seen)
        answer.set_cookie("seen", "1", path=flask.url_for("items"))
        return answer

    @app.post("/items/")
    def create() -> Any:
        return {}, 201, {"Location": flask.url_for("items", _external=True)}

    return app


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def wsgi(app: Any) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def serving(name: str) -> AsyncIterator[int]:
    if name == "fastapi":
        sock = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(fastapi_app(), log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            await task
    else:
        app = flask_app()
        if name == "flask behind proxies":
            app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
        with wsgi(app) as port:
            yield port


@pytest.mark.parametrize("name", ["fastapi", "flask", "flask behind proxies"])
async def test_clients_of_a_framework_stay_with_the_gateway(name: str, tmp_path: Path) -> None:
    async with serving(name) as backend:
        routes = "[{id: shop, match: {prefix: /shop}, upstream: backend, rewrite: {strip_prefix: /shop}}]"
        with running(configuration(backend, routes=routes), tmp_path) as gateway:
            base = f"http://127.0.0.1:{gateway.port}/shop/items"
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(headers={"X-Api-Key": KEY}, cookie_jar=jar) as session:
                for seen in (None, "1"):
                    async with session.get(base) as found:
                        result = (await found.json())["data"]["result"]
                        assert (found.status, str(found.url), len(found.history)) == (200, f"{base}/", 1)
                        assert (result["keys"], result["seen"]) == ([], seen)
                async with session.post(f"{base}/", allow_redirects=False) as created:
                    assert (created.status, created.headers["Location"]) == (201, f"{base}/")
            assert {cookie["path"] for cookie in jar} <= {"/shop", "/shop/items/"}
