"""Services written with frameworks as people write them, each in a process of its own.

All have the same handlers, which answer `{"reached": NAME}`, and 404 for the rest.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NODE_MODULES = Path(__file__).parent / "node_modules"

_EXPRESS = """
const express = require('express'), app = express(), reached = name => (request, reply) => reply.json({reached: name});
app.all('/v1/orders', reached('orders'));
app.all('/v1/orders/:id', reached('order'));
app.all('/v1/admin', reached('admin'));
app.all('/files/*rest', reached('files'));
app.get('/', reached('front'));
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""
_STARLETTE = """
import socket, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

def reached(name):
    async def reply(request):
        return JSONResponse({"reached": name})
    return reply

METHODS = ["GET", "HEAD", "POST", "DELETE"]
routes = {"/v1/orders": "orders", "/v1/orders/{id}": "order", "/v1/admin": "admin", "/files/{rest:path}": "files", "/": "front"}
app = Starlette(routes=[Route(path, reached(name), methods=METHODS) for path, name in routes.items()])
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listening])
"""
_WSGI_SERVER = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

server = make_server("127.0.0.1", 0, app, Server, Quiet)
print(server.server_port, flush=True)
server.serve_forever()
"""
_DJANGO = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="none", ALLOWED_HOSTS=["*"], MIDDLEWARE=["django.middleware.common.CommonMiddleware"])

def reached(name):
    return lambda request, **_: JsonResponse({"reached": name})

urlpatterns = [
    path("v1/orders", reached("orders")),
    path("v1/orders/<str:id>", reached("order")),
    path("v1/admin", reached("admin")),
    path("files/<path:rest>", reached("files")),
    path("", reached("front")),
]
app = get_wsgi_application()
"""
_STRICT = """
import re

HANDLERS = {r"/v1/orders": "orders", r"/v1/orders/[^/]+": "order", r"/v1/admin": "admin", r"/files/.*": "files", r"/": "front"}

def app(environ, start_response):
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    name = next((name for pattern, name in HANDLERS.items() if re.fullmatch(pattern, path, re.DOTALL)), None)
    body = b'{"reached": "%s"}' % name.encode() if name else b'{"detail": "not found"}'
    start_response("200 OK" if name else "404 Not Found", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""

SERVICES: dict[str, list[str]] = {
    "express": ["node", "-e", _EXPRESS],
    "starlette": [sys.executable, "-c", _STARLETTE],
    "django": [sys.executable, "-c", _DJANGO + _WSGI_SERVER],
    "wsgi": [sys.executable, "-c", _STRICT + _WSGI_SERVER],
}


@contextmanager
def service(name: str) -> Iterator[int]:
    """The port of the service with that name, from when it listens until the end of the block."""
    with subprocess.Popen(SERVICES[name], cwd=NODE_MODULES.parent, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()
