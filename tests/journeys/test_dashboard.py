"""The dashboard of Grafana asks a real Prometheus, which scrapes a real gateway under load: no panel is empty."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.architecture.files import ROOT
from tests.fakes import RawBackend, reply, script
from tests.gateway_process import KEY, configuration, running
from tests.otlp_collector import Collector
from tests.redis_server import RedisProcess, free_port

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "gateway.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = {f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]}
EXEMPLARS = "traces of durations"
SEEN_WITHIN_S = 60.0
ROUTES = (
    "[{id: all, match: {prefix: /v1}, upstream: backend}, {id: dead, match: {prefix: /dead}, upstream: dead},"
    " {id: once, match: {prefix: /once}, upstream: backend, limits: [{id: hour, max: 1, per: 1h}]}]"
)


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Serve what is scraped from `target` four times a second; the URL of Prometheus."""
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\n"
        f"scrape_configs: [{{job_name: gateway, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
        "--enable-feature=exemplar-storage",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield f"http://{address}"
        finally:
            process.kill()
            process.communicate()


def filled_in(expression: str) -> str:
    """Return the query as Grafana sends it, with everything chosen."""
    return expression.replace("$job", ".*").replace("$route", ".*").replace("$__rate_interval", "10s")


async def unanswered(session: aiohttp.ClientSession, url: str) -> set[str]:
    """Return the names of the queries that have no value, or none that is a number."""
    missing = set()
    for name, expression in QUERIES.items():
        async with session.get(f"{url}/api/v1/query", params={"query": filled_in(expression)}) as found:
            if found.status == 503:
                return {*QUERIES, EXEMPLARS}  # Prometheus is not ready yet
            content = await found.json()
        assert content["status"] == "success", (name, content)
        if all(series["value"][1] == "NaN" for series in content["data"]["result"]):
            missing.add(name)
    about = {"query": "gateway_request_duration_seconds_bucket", "start": "0", "end": "9999999999"}
    async with session.get(f"{url}/api/v1/query_exemplars", params=about) as found:
        if not (await found.json())["data"]:
            missing.add(EXEMPLARS)
    return missing


async def test_no_panel_is_empty(redis_server: RedisProcess, tmp_path: Path) -> None:
    async with RawBackend(default=script(reply(b"{}"))) as backend, AsyncExitStack() as stack:
        collector = stack.enter_context(Collector())
        upstreams = (
            f'[{{id: backend, targets: [{{url: "{backend.url}"}}]}},'
            f' {{id: dead, targets: [{{url: "http://127.0.0.1:{free_port()}"}}], breaker: {{}}}}]'
        )
        text = configuration(
            backend.port,
            redis=f'{{url: "{redis_server.url}"}}',
            upstreams=upstreams,
            routes=ROUTES,
            plans="[{id: unlimited, limits: [{id: minute, max: 100000, per: 1m}]}]",
            observability=f"{{log: {{format: json}}, traces: {{endpoint: '{collector.endpoint}', sample: 100%}}}}",
        )
        with running(text, tmp_path) as gateway, prometheus(tmp_path, f"127.0.0.1:{gateway.admin_port}") as url:
            async with aiohttp.ClientSession() as session:
                missing = await _asked_under_load(session, f"http://127.0.0.1:{gateway.port}", url)
    assert missing == set()


async def _asked_under_load(session: aiohttp.ClientSession, gateway_url: str, prometheus_url: str) -> set[str]:
    missing = {*QUERIES, EXEMPLARS}
    deadline = asyncio.get_running_loop().time() + SEEN_WITHIN_S
    while missing and asyncio.get_running_loop().time() < deadline:
        for path in ("/v1/a", "/dead", "/once", "/nowhere"):
            async with session.post(f"{gateway_url}{path}", data=b"[1]", headers={"X-Api-Key": KEY}) as found:
                await found.read()
        try:
            missing = await unanswered(session, prometheus_url)
        except aiohttp.ClientConnectionError:
            continue  # Prometheus does not listen yet
    return missing


def test_every_panel_says_its_unit_and_has_a_place_of_its_own() -> None:
    positions = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(positions)) == len(positions)
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)


@pytest.mark.parametrize("name", ["job", "route"])
def test_every_variable_is_used(name: str) -> None:
    assert any(variable["name"] == name for variable in DASHBOARD["templating"]["list"])
    assert any(f"${name}" in expression for expression in QUERIES.values())
