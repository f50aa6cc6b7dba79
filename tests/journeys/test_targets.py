"""Several targets behind one gateway, in processes and connections of their own."""

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from tests.fakes import End, RawBackend, reply, script, until
from tests.gateway_process import GatewayProcess, configuration, running
from tests.journeys.backends import ask, counted, counts, enveloped
from tests.load import Load
from tests.target_process import TargetProcess


def of(*urls: str, weights: tuple[int, ...] = (), **settings: str) -> str:
    """The section `upstreams`: one, called `backend`."""
    targets = ", ".join(
        [f'{{url: "{url}", weight: {weight}}}' for url, weight in zip(urls, weights or (1,) * len(urls), strict=True)]
    )
    more = "".join([f", {name}: {text}" for name, text in settings.items()])
    return f"[{{id: backend, targets: [{targets}]{more}}}]"


async def test_weights_are_shares(tmp_path: Path) -> None:
    async with RawBackend(default=script(reply(b'"a"'))) as one, RawBackend(default=script(reply(b'"b"'))) as other:
        upstreams = of(f"{one.url}/base", other.url, weights=(3, 1))
        with running(configuration(one.port, upstreams=upstreams), tmp_path) as gateway:
            async with Load(gateway.port, connections=1) as load:
                await load.more(300)
            assert load.failures == []
            shares = Counter({"one": len(one.requests), "other": len(other.requests)})
            assert 0.62 < shares["one"] / shares.total() < 0.88
            assert {request.head.split(b"\r\n")[0] for request in one.requests} == {b"GET /base/v1/x HTTP/1.1"}
            assert b"\r\nHost: 127.0.0.1:%d\r\n" % other.port in other.requests[0].head


async def test_a_target_that_is_killed_under_load_costs_no_request(tmp_path: Path) -> None:
    with (
        TargetProcess() as leaves,
        TargetProcess() as stays,
        running(configuration(0, upstreams=of(leaves.url, stays.url)), tmp_path) as gateway,
    ):
        async with Load(gateway.port) as load:
            await load.more(200)
            leaves.kill()
            await load.more(300)
            # What is not idempotent may go elsewhere, too, because it finds no connection
            for _ in range(20):
                assert (await ask(gateway, "POST", "/v1/x", body=b"{}")).status == 200
            leaves.start()
            await load.more(200)
        assert load.failures == []
        assert load.answered.keys() == {200}
        assert counted(gateway, "gateway_upstream_retries_total", upstream="backend") > 0


def shown(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """The targets of the upstream, as operators see them."""
    targets: list[dict[str, Any]] = json.loads(gateway.admin("/targets")[1])["upstreams"][0]["targets"]
    return targets


async def log_line(gateway: GatewayProcess, event: str) -> dict[str, Any]:
    """The first line of its log about that."""
    return dict(json.loads(await gateway.line(lambda line: f'"event":"{event}"' in line)))


async def test_what_failed_too_often_is_left_alone_and_a_reload_does_not_change_that(tmp_path: Path) -> None:
    with TargetProcess() as leaves, TargetProcess() as stays:
        upstreams = of(leaves.url, stays.url, outlier_detection="{consecutive_failures: 2, base_ejection_time: 60s}")
        with running(configuration(0, upstreams=upstreams), tmp_path) as gateway:
            up = {"upstream": "backend", "target": leaves.url.removeprefix("http://")}
            assert [target["state"] for target in shown(gateway)] == ["up", "up"]
            assert counted(gateway, "gateway_upstream_target_up", **up) == 1
            leaves.kill()
            async with Load(gateway.port, connections=4) as load:
                line = await log_line(gateway, "target ejected")
                await load.more(50)
            assert load.failures == []
            assert load.answered.keys() == {200}
            assert (line["target"], line["reason"], line["level"]) == (up["target"], "upstream_refused", "warning")
            assert counted(gateway, "gateway_upstream_ejections_total", reason="upstream_refused", **up) == 1
            before = counted(gateway, "gateway_upstream_retries_total")

            gateway.signal(signal.SIGHUP)
            await log_line(gateway, "reloaded")
            for _ in range(20):
                assert (await ask(gateway, "GET", "/v1/x")).status == 200
            assert counted(gateway, "gateway_upstream_retries_total") == before
            assert counted(gateway, "gateway_upstream_target_up", **up) == 0
            ejected, up_still = shown(gateway)
            assert ejected["state"] == "ejected"
            assert ejected["ejection"]["reason"] == "upstream_refused"
            assert 30 < ejected["ejection"]["left_s"] < 60
            assert up_still == {
                "url": stays.url,
                "weight": 1,
                "state": "up",
                "connections": {"idle": 1, "active": 0, "pending": 0},
            }


async def test_what_is_found_out_while_a_reload_is_under_way_is_not_forgotten(tmp_path: Path) -> None:
    with TargetProcess() as gone, TargetProcess() as stays:
        upstreams = of(gone.url, stays.url, outlier_detection="{consecutive_failures: 1, base_ejection_time: 60s}")
        with running(configuration(0, upstreams=upstreams), tmp_path) as gateway:
            gone.kill()
            gateway.signal(signal.SIGHUP)
            await until(lambda: len(json.loads(gateway.admin("/workers")[1])["workers"]) == 2, 20)
            while not any('"event":"target ejected"' in line for line in gateway.lines):
                assert (await ask(gateway, "GET", "/v1/x")).status == 200
            await log_line(gateway, "reloaded")
            assert [target["state"] for target in shown(gateway)] == ["ejected", "up"]


async def test_an_open_circuit_outlives_a_reload_and_closes_by_itself(tmp_path: Path) -> None:
    with TargetProcess() as target:
        upstreams = of(target.url, breaker="{consecutive_failures: 2, base_open_time: 1s}")
        with running(configuration(0, upstreams=upstreams), tmp_path) as gateway:
            target.kill()
            assert [(await ask(gateway, "GET", "/v1/x")).field("Proxy-Status") for _ in range(3)] == [
                *["gateway; error=connection_refused"] * 2,
                "gateway; error=destination_unavailable",
            ]
            target.start()
            gateway.signal(signal.SIGHUP)
            await log_line(gateway, "reloaded")
            assert counted(gateway, "gateway_upstream_breaker_open", upstream="backend") == 1
            while (answer := await ask(gateway, "GET", "/v1/x")).status == 503:
                assert answer.field("Retry-After") == "1"
            assert (answer.status, counted(gateway, "gateway_upstream_breaker_open", upstream="backend")) == (200, 0)
            assert counted(gateway, "gateway_upstream_breaker_opened_total", upstream="backend") == 1
            assert json.loads(gateway.admin("/targets")[1])["upstreams"][0]["circuit"]["state"] == "closed"


async def asking_on(gateway: GatewayProcess) -> None:
    """Until a connection breaks."""
    while True:
        await ask(gateway, "GET", "/v1/x")


async def test_a_worker_that_dies_while_it_tries_leaves_the_next_call_to_try(tmp_path: Path) -> None:
    async with RawBackend(script(End.RESET), script(End.RESET), script(End.NEVER)) as backend:
        upstreams = of(backend.url, breaker="{consecutive_failures: 2, base_open_time: 100ms}")
        with running(configuration(0, upstreams=upstreams), tmp_path) as gateway:
            assert [(await ask(gateway, "GET", "/v1/x")).status for _ in range(2)] == [503, 503]
            trying = asyncio.ensure_future(asking_on(gateway))
            await until(lambda: len(backend.requests) == 3)
            (worker,) = json.loads(gateway.admin("/workers")[1])["workers"]
            os.kill(worker["pid"], signal.SIGKILL)
            await log_line(gateway, "worker ended")
            await asyncio.wait([trying])
            assert isinstance(trying.exception(), OSError | EOFError)
            assert (await ask(gateway, "GET", "/v1/x")).status == 200


async def test_a_sick_target_is_taken_out_and_brought_back_by_its_checks(tmp_path: Path) -> None:
    with TargetProcess() as sick, TargetProcess() as well:
        upstreams = of(sick.url, well.url, health="{path: /healthz, interval: 100ms, healthy: 2, unhealthy: 2}")
        with running(configuration(0, upstreams=upstreams), tmp_path) as gateway:
            up = {"upstream": "backend", "target": sick.url.removeprefix("http://")}
            await counts(gateway, "gateway_upstream_health_checks_total", 2, result="passed", **up)
            async with Load(gateway.port, connections=4) as load:
                sick.be(503)
                line = await log_line(gateway, "target down")
                assert (line["target"], line["result"]) == (up["target"], 503)
                assert counted(gateway, "gateway_upstream_target_up", **up) == 0
                gateway.signal(signal.SIGHUP)
                await log_line(gateway, "reloaded")
                for _ in range(20):
                    answer = await ask(gateway, "GET", "/v1/x")
                    assert enveloped(answer)["data"]["result"] == {"port": well.port}
                down, _ = shown(gateway)
                assert (down["state"], down["check"]["result"]) == ("down", 503)
                sick.be(200)
                await log_line(gateway, "target up")
                await load.more(50)
            assert load.failures == []
            assert load.answered.keys() == {200}
            assert counted(gateway, "gateway_upstream_target_up", **up) == 1


async def test_checks_go_on_when_the_worker_that_makes_them_dies(tmp_path: Path) -> None:
    with TargetProcess() as target:
        upstreams = of(target.url, health="{path: /healthz, interval: 100ms, unhealthy: 1}")
        with running(configuration(0, upstreams=upstreams), tmp_path) as gateway:
            await counts(gateway, "gateway_upstream_health_checks_total", 1, result="passed")
            (worker,) = json.loads(gateway.admin("/workers")[1])["workers"]
            os.kill(worker["pid"], signal.SIGKILL)
            await log_line(gateway, "worker ended")
            target.kill()
            assert (await log_line(gateway, "target down"))["result"] in ("upstream_refused", "upstream_reset")
            target.start()
            # One target alone is called all the same
            assert (await ask(gateway, "GET", "/v1/x")).status == 200


async def test_a_target_that_hangs_costs_a_call_each_time_that_it_is_tried_and_no_more(tmp_path: Path) -> None:
    async with RawBackend(default=script(End.NEVER)) as hung:
        with TargetProcess() as one, TargetProcess() as other:
            times = "{consecutive_failures: 2, base_ejection_time: 200ms, max_ejection_time: 200ms}"
            upstreams = of(hung.url, one.url, other.url, outlier_detection=times, timeouts="{first_byte: 200ms}")
            with running(configuration(0, upstreams=upstreams), tmp_path) as gateway:
                async with Load(gateway.port, connections=16) as load:
                    await counts(gateway, "gateway_upstream_ejections_total", 4, reason="upstream_timeout")
                assert load.failures == []
                assert load.answered.keys() == {200, 503}
                # Before it is left alone for the first time it has no more calls than others have; then one at a time
                # tries it
                assert load.answered[503] <= 16
                assert load.answered[200] > 20 * load.answered[503]


async def test_a_reply_that_breaks_off_is_asked_for_elsewhere(tmp_path: Path) -> None:
    broken = script(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n[1,", End.RESET)
    async with RawBackend(default=broken) as breaks, RawBackend(default=script(reply(b"[1]"))) as whole:
        upstreams = of(breaks.url, whole.url, outlier_detection="{consecutive_failures: 0}")
        with running(configuration(0, upstreams=upstreams), tmp_path) as gateway:
            for _ in range(20):
                assert enveloped(await ask(gateway, "GET", "/v1/x"))["data"]["result"] == [1]
            assert len(breaks.requests) == counted(gateway, "gateway_upstream_retries_total", upstream="backend") > 0
            # What changes something is not done twice
            codes = Counter([(await ask(gateway, "DELETE", "/v1/x")).status for _ in range(20)])
            assert codes[503] > 0
            assert len(whole.requests) == 20 + codes[200]
