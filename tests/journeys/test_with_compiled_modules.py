"""A gateway whose hot modules are compiled, beside one that runs their sources: nobody can tell them apart.

This is the only test that compiles, which takes a minute, unless tests/run has done it. What was made stays in the
environment, for gateways that are started from there and for the next run.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from gateway.system.compiled import LIBRARY, VARIABLE, default_folder
from tests.architecture.files import ROOT
from tests.fakes import reply, until
from tests.gateway_process import KEY, GatewayProcess, configuration, digest, running
from tests.journeys.backends import Service, chunked, counts, requesting
from tests.raw_client import RawClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

FEW = "gw_test_key_of_the_plan_few_abcdefg"
PROGRAM = """
import runpy, sys
sys.argv[1:] = ["run", "-c", sys.argv[1]]
runpy.run_module("gateway", run_name="__main__", alter_sys=True)
"""
"""What `-m gateway` runs, also with --in-tasks, which reads modules before it is known that there are compiled ones."""
SECTIONS = {
    "plans": "[{id: unlimited, limits: []}, {id: few, limits: [{id: month, max: 1, per: 30d}]}]",
    "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: few, secret_sha256: {digest(FEW)}, organizations: [acme], plan: few}}
""",
    "upstreams": """
- {id: backend, targets: [{url: "http://127.0.0.1:%d"}]}
- {id: away, targets: [{url: "http://127.255.255.255:1"}]}
""",
    "routes": """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: kept, match: {path: /kept}, upstream: backend, cache: {}}
- {id: away, match: {path: /away}, upstream: away}
""",
}
LARGE = b'{"text":"%b"}' % (b"a" * 1_000_000)
ENVELOPE = b'{"requestId":"theirs","status":"SUCCESS","data":{"result":[1e400],"messages":[{"id":"a","type":"INFO"}]}}'
SERVICE = {
    "/v1/a": reply(b'{"a":1}', b"ETag: x", b"Deprecation: @1688169599"),
    "/v1/plain": reply(b'{"a":1}'),
    "/v1/large": reply(LARGE),
    "/v1/events": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    + chunked([b"data: 1\n\n", b"data: 2\n\n"]),
    "/v1/envelope": reply(ENVELOPE),
    "/v1/invalid": reply(b'{"detail":[{"loc":["body","name"],"msg":"no name"}]}', status=b"422 Unprocessable Content"),
    "/v1/garbage": reply(b'{"a":1'),
    "/v1/empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/v1/broken": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n",
    "/kept": reply(b'{"kept":1}', b"Cache-Control: max-age=60"),
}
REQUESTS = [
    *[("GET", requesting("GET", "/v1/plain?b=2", "Accept: */*"))] * 3,
    ("GET", requesting("GET", "/v1/a", "Cookie: a=b", "X-Tenant-Org-Id: acme")),
    ("GET", requesting("GET", f"/v1/plain?X-Api-Key={KEY}", key=None)),
    ("HEAD", requesting("HEAD", "/v1/plain")),
    ("POST", requesting("POST", "/v1/plain", "Content-Type: application/json", body=b'{"b":[]}')),
    ("POST", requesting("POST", "/v1/plain", "Transfer-Encoding: chunked") + chunked([b"a" * 300_000] * 2)),
    ("GET", requesting("GET", "/v1/large")),
    ("GET", requesting("GET", "/v1/events")),
    ("GET", requesting("GET", "/v1/envelope")),
    ("GET", requesting("GET", "/v1/invalid")),
    ("GET", requesting("GET", "/v1/garbage")),
    ("DELETE", requesting("DELETE", "/v1/empty")),
    ("GET", requesting("GET", "/v1/broken")),
    ("GET", requesting("GET", "/v1/none")),
    *[("GET", requesting("GET", "/kept"))] * 2,
    *[("GET", requesting("GET", "/v1/plain", key=FEW))] * 3,
    *[("GET", requesting("GET", "/v1/plain", key=key)) for key in (None, "unknown", "unknown")],
    ("GET", requesting("GET", "/none")),
    ("TRACE", requesting("TRACE", "/v1/plain")),
    ("GET", requesting("GET", "/away")),
    ("GET", requesting("GET", "/v1/%2e%2e/a")),
    ("GET", requesting("GET", "/v1/plain", f"X-Long: {'a' * 100_000}")),
    ("GET", b"GET /v1/plain HTTP/1.1\r\nHost: a b\r\n\r\n"),
]
STATUSES = [200] * 11 + [422, 503, 204, 503, 404, 200, 200, 200, 429, 429, 401, 401, 401, 404, 405, 503, 400, 431, 400]
_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|[0-9a-f]{32}-[0-9a-f]{16}")
_TIME = re.compile(r"(?<=;t=)\d+|(?<=retry-after: )\d{6,}|(?<=age: )\d+|\d{4}-\d\d-\d\dT[0-9:.]+Z")
_MEASURED = re.compile("timestamp|.*duration.*|.*(_s|_ms)|.*seconds.*|trace.*|.*memory.*|.*cpu.*|.*start.*")
"""Fields of access lines, and names of metrics, that differ from one gateway to the next."""


class Pair(NamedTuple):
    """One service behind two gateways."""

    service: Service
    compiled: GatewayProcess
    sources: GatewayProcess


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was compiled."""
    in_environment = sys.prefix != sys.base_prefix
    made = default_folder() if in_environment else tmp_path_factory.mktemp("compiled")
    command = ["nice", sys.executable, "deploy/compile.py", "--if-needed", str(made)]  # other tests run meanwhile
    subprocess.run(command, cwd=ROOT, check=True, timeout=900)
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with Service() as service:
        for path, answer in SERVICE.items():
            service.on(path, answer)
        sections = {**SECTIONS, "upstreams": SECTIONS["upstreams"] % service.port}
        yaml, folders = configuration(service.port, **sections), [tmp_path_factory.mktemp(name) for name in "ab"]
        with (
            running(yaml, folders[0], environ={VARIABLE: str(folder)}, program=PROGRAM) as compiled,
            running(yaml, folders[1], environ={VARIABLE: ""}) as sources,
        ):
            yield Pair(service, compiled, sources)


async def replies(gateway: GatewayProcess) -> list[tuple[int, list[str], str]]:
    """The replies to all requests: one after the other on a connection, as long as that is kept."""
    found, client = [], None
    for method, request in REQUESTS:
        client = client or await RawClient.connect(gateway.port)
        await client.send(request)
        status, fields, body = await client.reply(method)
        lines = [_alike(f"{name}: {value}") for name, value in fields if name != "date"]
        found.append((status, lines, _alike(body.decode())))
        if ("connection", "close") in fields:
            client.abort()
            client = None
    return found


def _alike(text: str) -> str:
    return _TIME.sub("TIME", _ID.sub("ID", text))


def samples(text: str) -> Iterator[tuple[str, str, float]]:
    """The name, the labels and the value of each series that counts something."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.endswith(("_total", "_count")) and not _MEASURED.fullmatch(sample.name):
                yield sample.name, str(sorted(sample.labels.items())), sample.value


async def test_workers_use_it_and_only_where_it_is_given(pair: Pair) -> None:
    assert pair.compiled.maps(LIBRARY)
    assert not pair.sources.maps(LIBRARY)


async def seen(service: Service, gateway: GatewayProcess) -> dict[str, list[Any]]:
    """What clients, the service and the operator see of all requests."""
    service.requests.clear()
    answers = await replies(gateway)
    await counts(gateway, "gateway_requests_total", len(REQUESTS))
    await until(lambda: len(gateway.records) == len(REQUESTS), within_s=20.0)
    lines = [
        {name: _alike(str(value)) for name, value in record.items() if not _MEASURED.fullmatch(name)}
        for record in gateway.records
    ]
    calls = [_alike(call.head.decode()) for call in service.requests]
    counted = sorted(samples((await asyncio.to_thread(gateway.admin, "/metrics"))[1]))
    return {"replies": answers, "lines": lines, "calls": calls, "counts": counted}


async def test_replies_lines_calls_and_counts_are_alike(pair: Pair) -> None:
    compiled, sources = await seen(pair.service, pair.compiled), await seen(pair.service, pair.sources)
    for name, ours in compiled.items():
        for one, other in zip(ours, sources[name], strict=True):
            assert one == other, name
    assert [status for status, _, _ in compiled["replies"]] == STATUSES
    for gateway in pair.compiled, pair.sources:
        assert [line for line in gateway.lines if '"bug"' in line or "Traceback" in line] == []
