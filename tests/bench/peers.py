"""The peers of one comparison: a backend, a plain nginx in front of it, and the gateway in front of it."""

import hashlib
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.processes import ANY_CORE, LOAD_CORE, SERVED_CORE, Program, free_port, program, python, running

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
  workers: {workers}
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


def asked(port: int, seconds: int, connections: int, core: str) -> int:
    """How many requests were answered with 2xx in that time. Raises SystemExit when one failed."""
    command = [
        *("taskset", "-c", core, program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"X-Api-Key: {KEY}"),
        f"http://127.0.0.1:{port}{PATH}",
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"requests failed:\n{out}")
    done = re.search(r"(\d+) requests in", out)
    assert done is not None, out
    return int(done[1])


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
            section = stack.enter_context(_redis(LOAD_CORE))
            found["gateway, Redis per request"] = stack.enter_context(_gateway(folder, "redis", backend, section))
        yield found


@contextmanager
def by_workers(folder: Path, counts: Sequence[int]) -> Iterator[dict[int, Program]]:
    """Gateways with so many workers each, on one Redis, before one backend; nobody is pinned to a core."""
    with ExitStack() as stack:
        backend = free_port()
        nginx = _nginx(folder, "backend", _BACKEND.format(port=backend, reply=reply_of(1000)))
        stack.enter_context(running(nginx, backend, ANY_CORE))
        section = stack.enter_context(_redis(ANY_CORE))
        yield {count: stack.enter_context(_gateway(folder, f"workers-{count}", backend, section, count, ANY_CORE)) for count in counts}


@contextmanager
def _redis(core: str) -> Iterator[str]:
    """One that is empty; the section of a configuration that names it."""
    port = free_port()
    server = [program("redis-server"), "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    with running(server, port, core):
        yield f'redis: {{url: "redis://127.0.0.1:{port}/0", timeout: 500ms}}'


def _nginx(folder: Path, name: str, body: str) -> list[str]:
    file = folder / f"{name}.conf"
    file.write_text(_NGINX.format(folder=folder, name=name, body=body))
    return [program("nginx"), "-p", str(folder), "-c", str(file)]


@contextmanager
def _gateway(folder: Path, name: str, backend: int, redis: str, workers: int = 1, core: str = SERVED_CORE) -> Iterator[Program]:
    port, admin = free_port(), free_port()
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    file = folder / f"{name}.yaml"
    file.write_text(_GATEWAY.format(port=port, admin=admin, backend=backend, redis=redis, digest=digest, path=PATH, workers=workers))
    with running(python("gateway", "run", "-c", str(file)), port, core) as started:
        yield started
