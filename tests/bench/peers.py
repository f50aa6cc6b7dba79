"""The peers of one comparison: a service, a plain nginx in front of it, and gateways in front of it."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import trustme

from tests.bench import nginx
from tests.bench.compiled import ROOT, check_runs
from tests.bench.processes import (
    ANY_CORE,
    LOAD_CORE,
    READY_WITHIN_S,
    SERVED_CORE,
    Program,
    program,
    python,
    running,
)
from tests.bench.revision import Code, Form, here
from tests.bench.traffic import Key, keys, secret
from tests.redis_server import free_port, free_ports

BASE, SOURCES = "nginx", "embedded-sources"
PEERS = {
    BASE: "nginx, plain proxy",
    "lua": "nginx + Lua, Redis",
    "lua-checked": "nginx + Lua, Redis, JSON parsed",
    "aiohttp": "aiohttp as usual, Redis",
    "embedded": "gateway, limits in memory",
    "redis": "gateway, Redis",
    SOURCES: "gateway, limits in memory, not compiled",
}
"""The plain proxy comes first: everything is said in times of it."""

GATEWAYS = ("embedded", "redis")
"""Those that run compiled where they can, and of which another revision can run, too."""
UNDER_READY_S = 600.0
"""Within which a peer answers when something watches each of its instructions."""

_KEY = secret("caller0")
_PATH = "/v1/orders/1kb/1"


@dataclass(frozen=True)
class Peer:
    """`store` is the Redis that is asked by this peer alone."""

    name: str
    about: str
    program: Program
    tls_port: int
    store: Program | None = None

    @property
    def port(self) -> int:
        return self.program.port


@dataclass(frozen=True)
class Site:
    """What all peers have in common. `under` is put before their commands."""

    folder: Path
    backend: int
    keys: list[Key]
    certificate: Path
    under: Sequence[str] = field(default=())

    @contextmanager
    def runs(self, name: str, command: list[str], port: int, code: Code | None = None) -> Iterator[Program]:
        """The command as a peer, whose standard output is a file."""
        where = code.folder if code else ROOT
        with running(
            [*self.under, *command],
            port,
            SERVED_CORE,
            log=self.folder / f"{name}.log",
            folder=where,
            environ=code.environ if code else {"PYTHONPATH": str(where)},
            ready_s=UNDER_READY_S if self.under else READY_WITHIN_S,
        ) as started:
            yield started


@contextmanager
def site(folder: Path, key_count: int, under: Sequence[str] = ()) -> Iterator[Site]:
    """With its service running."""
    certificate = folder / "certificate.pem"
    trustme.CA().issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    backend = free_port()
    with running(nginx.service(folder, backend), backend, LOAD_CORE):
        yield Site(folder, backend, keys(key_count), certificate, under)


@contextmanager
def peer(at: Site, name: str, code: Code) -> Iterator[Peer]:
    """One of `PEERS`, running; of the gateways the one of `code`. Raises SystemExit with what is missing for it."""
    with ExitStack() as stack:
        store = stack.enter_context(_redis(LOAD_CORE)) if name in ("lua", "lua-checked", "aiohttp", "redis") else None
        port, tls_port, admin_port = free_ports(3)
        from_here: Code | None = None
        label, about = name, PEERS[name]
        if name == BASE:
            command = nginx.proxy(at.folder, port, tls_port, at.backend, at.certificate)
        elif name in ("lua", "lua-checked", "aiohttp"):
            assert store is not None
            file = nginx.key_lines(at.folder, at.keys)
            if name != "aiohttp":
                command = nginx.lua(
                    at.folder,
                    port,
                    tls_port,
                    at.backend,
                    at.certificate,
                    file,
                    store.port,
                    thorough=name == "lua-checked",
                )
            else:
                arguments = (port, tls_port, at.backend, store.port, file, at.certificate)
                command = python("tests.bench.usual", *map(str, arguments))
        else:
            from_here = replace(code, compiled=None) if name == SOURCES else code
            label, about = code.labels(name, about)
            config = at.folder / f"{label}.yaml"
            config.write_text(
                configuration(
                    at.backend, (port, tls_port, admin_port), at.keys, at.certificate, store.port if store else None
                )
            )
            command = [code.python, "-m", "gateway", "run", "-c", str(config)]
        started = stack.enter_context(at.runs(label, command, port, from_here))
        if from_here:
            check_code(started, from_here)
        yield Peer(label, about, started, tls_port, store)


def check_code(gateway: Program, code: Code) -> None:
    """Raises SystemExit unless its workers, of which one has answered by then, run what `code` says."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=UNDER_READY_S)
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()
    check_runs(gateway.children(), code.compiled)


def configuration(
    backend: int,
    ports: Sequence[int],
    keys: list[Key],
    certificate: Path,
    redis: int | None = None,
    workers: int = 1,
) -> str:
    """A gateway's, in JSON, which is YAML. It uses what every revision has.

    `ports` are those of its listeners, without and with TLS, and of its admin API.
    """
    port, tls_port, admin_port = ports
    plans = {(key.most, key.per_s): f"plan{key.most}" for key in keys}
    tls = {"certificates": [{"certificate": str(certificate), "private_key": str(certificate)}]}
    whole = {
        "version": 1,
        "server": {
            "workers": workers,
            "drain_delay": "0s",
            "listeners": [
                {"id": "public", "address": f"127.0.0.1:{port}"},
                {"id": "tls", "address": f"127.0.0.1:{tls_port}", "tls": tls},
            ],
        },
        "admin": {"address": f"127.0.0.1:{admin_port}"},
        "organizations": [{"id": each} for each in sorted({key.organization for key in keys})],
        "plans": [
            {"id": plan, "limits": [{"id": "minute", "max": most, "per": f"{s}s"}]} for (most, s), plan in plans.items()
        ],
        "keys": [
            {
                "id": key.id,
                "secret_sha256": key.digest,
                "organizations": [key.organization],
                "plan": plans[key.most, key.per_s],
            }
            for key in keys
        ],
        "upstreams": [
            {
                "id": "backend",
                "targets": [{"url": f"http://127.0.0.1:{backend}"}],
                "connections": {"max": 512, "max_pending": 8192},
                "timeouts": {"connect": "20s", "first_byte": "20s"},
            }
        ],
        "routes": [{"id": "orders", "match": {"prefix": "/v1/orders"}, "upstream": "backend"}],
        "observability": {"log": {"format": "json", "access": True}},
    }
    if redis is not None:
        whole["redis"] = {"url": f"redis://127.0.0.1:{redis}/0", "timeout": "500ms"}
    return json.dumps(whole, indent=1)


def asked(port: int, seconds: int, connections: int, core: str) -> int:
    """Return how many requests of one key for one path were answered with 2xx. Raises SystemExit if one failed."""
    command = [
        *(
            "taskset",
            "-c",
            core,
            program("wrk"),
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "-H",
            f"X-Api-Key: {_KEY}",
        ),
        f"http://127.0.0.1:{port}{_PATH}",
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"requests failed:\n{out}")
    done = re.search(r"(\d+) requests in", out)
    assert done is not None, out
    return int(done[1])


@contextmanager
def by_workers(folder: Path, counts: Sequence[int], *, sources: bool) -> Iterator[tuple[dict[int, Program], Form]]:
    """Gateways with so many workers each, on one Redis, before one backend; nobody is pinned to a core."""
    code = here(sys.executable, sources=sources)
    with ExitStack() as stack:
        at = stack.enter_context(site(folder, 1))
        store = stack.enter_context(_redis(ANY_CORE))
        found = {}
        for count in counts:
            ports = free_ports(3)
            config = folder / f"workers-{count}.yaml"
            config.write_text(configuration(at.backend, ports, at.keys[:1], at.certificate, store.port, count))
            command = python("gateway", "run", "-c", str(config))
            found[count] = stack.enter_context(running(command, ports[0], ANY_CORE, environ=code.environ))
            check_code(found[count], code)
        yield found, code.form


@contextmanager
def _redis(core: str) -> Iterator[Program]:
    """One that is empty."""
    port = free_port()
    server = [
        program("redis-server"),
        "--port",
        str(port),
        "--save",
        "",
        "--tcp-backlog",
        "4096",
        "--bind",
        "127.0.0.1",
    ]
    with running(server, port, core) as started:
        yield started
