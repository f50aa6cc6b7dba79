"""The peers of one comparison: a backend, a plain nginx in front of it, and the gateway in front of it."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.processes import LOAD_CORE, SERVED_CORE, Program, free_port, program, python, running

KEY = "gw_benchmark_benchmark_benchmark"
PATH = "/v1/orders"

_NGINX = """
worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  {body}
}}
"""
_BACKEND = "server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ default_type application/json; return 200 '{reply}'; }} }}"
_PROXY = """
upstream backend {{ server 127.0.0.1:{backend}; keepalive 128; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{port} backlog=4096;
  location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
"""
_GATEWAY = """
version: 1
server:
  drain_delay: 0s
  listeners: [{{id: public, address: "127.0.0.1:{port}"}}]
admin: {{address: "127.0.0.1:{admin}"}}
{redis}
organizations: [{{id: acme}}]
plans: [{{id: standard, limits: [{{id: minute, max: 1000000000, per: 1d}}]}}]
keys: [{{id: bench, secret_sha256: {digest}, organizations: [acme], plan: standard}}]
upstreams: [{{id: backend, targets: [{{url: "http://127.0.0.1:{backend}"}}]}}]
routes: [{{id: orders, match: {{path: {path}}}, upstream: backend}}]
observability: {{log: {{format: json, access: true}}}}
"""


def reply_of(size_bytes: int) -> str:
    """A JSON object of about `size_bytes`."""
    item = '{"id":"6d84e126","name":"an order","total":12.5,"paid":true}'
    count = max(1, size_bytes // (len(item) + 1))
    return f'{{"items":[{",".join([item] * count)}]}}'


@contextmanager
def peers(folder: Path, *, with_redis: bool, size_bytes: int = 1000) -> Iterator[dict[str, Program]]:
    """All peers by name, running at once; the load is for one at a time."""
    with ExitStack() as stack:
        backend = free_port()
        nginx = _nginx(folder, "backend", _BACKEND.format(port=backend, reply=reply_of(size_bytes)))
        stack.enter_context(running(nginx, backend, LOAD_CORE))
        port = free_port()
        proxy = _nginx(folder, "proxy", _PROXY.format(port=port, backend=backend))
        found = {"nginx, plain proxy": stack.enter_context(running(proxy, port, SERVED_CORE))}
        found["gateway, embedded limiter"] = stack.enter_context(_gateway(folder, "local", backend, ""))
        if with_redis:
            redis = free_port()
            server = [program("redis-server"), "--port", str(redis), "--save", "", "--bind", "127.0.0.1"]
            stack.enter_context(running(server, redis, LOAD_CORE))
            section = f'redis: {{url: "redis://127.0.0.1:{redis}/0", timeout: 500ms}}'
            found["gateway, Redis per request"] = stack.enter_context(_gateway(folder, "redis", backend, section))
        yield found


def _nginx(folder: Path, name: str, body: str) -> list[str]:
    file = folder / f"{name}.conf"
    file.write_text(_NGINX.format(folder=folder, name=name, body=body))
    return [program("nginx"), "-p", str(folder), "-c", str(file)]


@contextmanager
def _gateway(folder: Path, name: str, backend: int, redis: str) -> Iterator[Program]:
    port, admin = free_port(), free_port()
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    file = folder / f"{name}.yaml"
    file.write_text(_GATEWAY.format(port=port, admin=admin, backend=backend, redis=redis, digest=digest, path=PATH))
    with running(python("gateway", "run", "-c", str(file)), port, SERVED_CORE) as started:
        yield started
