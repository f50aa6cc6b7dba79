"""table/upstreams.py: the upstreams that are built from a configuration."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.kernel.clock import Clock
from gateway.kernel.faults import GatewayError
from gateway.net.pem import PairError
from gateway.net.write_batch import WriteBatch
from gateway.observe.metrics import Metrics
from gateway.settings import Config, parse
from gateway.table.snapshot import compile_snapshot
from gateway.table.upstreams import AnyUpstream, build_health_checks, build_upstreams
from gateway.traffic.adaptive_concurrency import AdaptiveConcurrency
from gateway.upstream.circuit_breaker import CircuitBreaker
from gateway.upstream.target import Target
from gateway.upstream.upstream import Upstream
from gateway.worker.queries import connections_query
from tests.fakes import End, RawBackend, reply, script, until
from tests.unit.upstream.calls import call

METRICS = Metrics()


@pytest.fixture
def refusing_port() -> int:
    """A port on which no process listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
        return port


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(reply(b"{}", b"Connection: close"))
    writer.close()


def configured(targets: str, more: str = "") -> Config:
    return parse(
        f"version: 1\nupstreams: [{{id: orders, targets: [{targets}]{more}}}]\nroutes: [{{id: r, match: {{prefix: /}}, upstream: orders}}]\n"
    )


def built(targets: str, more: str = "") -> AnyUpstream:
    config = configured(targets, more)
    return build_upstreams(
        config, compile_snapshot(config, None, "").shared_state, METRICS, Clock(time.monotonic, time.time), WriteBatch()
    )["orders"]


async def test_names_are_shared_and_adopted_by_the_next_configuration() -> None:
    config = configured(
        '{url: "http://localhost:3000"}, {url: "http://localhost:3001"}, {url: "http://127.0.0.1:1"}',
        ", connections: {max_age: 1m}",
    )
    before, after = compile_snapshot(config, None, ""), compile_snapshot(config, None, "")
    targets = build_upstreams(config, before.shared_state, METRICS, Clock(time.monotonic, time.time), WriteBatch())[
        "orders"
    ].targets
    assert len({id(target.names) for target in targets}) == 1
    assert repr(before.shared_state.names) == "<NameMemory 1 names>"
    found = await targets[0].names.addresses("localhost")
    after.shared_state.adopt(before.shared_state, 7.0)
    known = after.shared_state.names.get("localhost")
    assert known is not None
    assert known[0] == found
    assert 54 <= targets[0]._ages.ends_at(0.0) <= 60
    for target in targets:
        await target.close()


def test_one_target_is_called_directly() -> None:
    target = built('{url: "http://127.0.0.1:3000/base", weight: 2}')
    assert isinstance(target, Target)
    assert repr(target) == "<Target orders 127.0.0.1:3000, 0 idle, 0 active, 0 pending>"


def test_several_targets_are_an_upstream() -> None:
    upstream = built('{url: "http://10.0.1.11:8080", weight: 2}, {url: "https://encoding.internal:8443"}')
    assert isinstance(upstream, Upstream)
    assert [target.target for target in upstream.targets] == ["10.0.1.11:8080", "encoding.internal:8443"]


def test_a_single_target_that_is_called_again_is_an_upstream() -> None:
    assert isinstance(built('{url: "http://a:1"}', ", retry: {}"), Upstream)


async def test_calls_at_once_are_bounded_before_everything_else() -> None:
    bounded = built('{url: "http://a:1"}', ", breaker: {}, adaptive_concurrency: {min: 7}")
    assert isinstance(bounded, AdaptiveConcurrency)
    assert isinstance(bounded.behind, CircuitBreaker)
    METRICS.upstream_concurrency.refresh()
    assert METRICS.upstream_concurrency.labels("orders", "limit").value == 7
    states = [METRICS.upstream_concurrency.labels("orders", state).value for state in ("in_flight", "waiting")]
    assert states == [0, 0]


async def test_calls_are_kept_together_or_take_turns() -> None:
    async with RawBackend() as one, RawBackend() as other:
        urls = f'{{url: "{one.url}"}}, {{url: "{other.url}"}}'
        in_turn = built(urls, ", load_balancing: round_robin")
        for _ in range(4):
            await in_turn.send(call())
        assert (len(one.requests), len(other.requests)) == (2, 2)
        together = built(urls, ", load_balancing: {consistent_hash: {on: key}}")
        for _ in range(4):
            sent = call()
            sent.affinity = 7
            await together.send(sent)
        assert {len(one.requests), len(other.requests)} == {2, 6}
        for upstream in (in_turn, together):
            await upstream.close()


def test_a_circuit_breaker_precedes_one_target_or_several() -> None:
    breaker = built('{url: "http://a:1"}', ", breaker: {}")
    assert (
        repr(breaker)
        == "<CircuitBreaker closed, 0 failures in a row, before <Target orders a:1, 0 idle, 0 active, 0 pending>>"
    )
    assert isinstance(built('{url: "http://a"}, {url: "http://b"}', ", breaker: {}"), CircuitBreaker)


async def test_events_of_targets_are_counted_and_logged(refusing_port: int) -> None:
    url = f"http://127.0.0.1:{refusing_port}"
    upstream = built(
        f'{{url: "{url}/a"}}, {{url: "{url}/b"}}',
        ", outlier_detection: {consecutive_failures: 1, base_ejection_time: 10ms}, breaker: {consecutive_failures: 2, base_open_time: 10ms}",
    )
    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(GatewayError):
                await upstream.send(call())
        ejections = METRICS.upstream_ejections
        names = [f"127.0.0.1:{refusing_port}/{name}" for name in "ab"]
        assert sum(ejections.labels("orders", name, "upstream_refused").value for name in names) >= 1
        assert METRICS.upstream_breaker_opened.labels("orders").value == 1
        assert event_names(lines) >= {"target ejected", "circuit opened"}
        async with await asyncio.start_server(_answer, "127.0.0.1", refusing_port):
            async with asyncio.timeout(5):
                while not event_names(lines) >= {"circuit closed", "target is back"}:
                    with contextlib.suppress(GatewayError):
                        await upstream.send(call())
            await upstream.close()


async def test_targets_have_health_checks_where_the_configuration_has_them() -> None:
    health = ", health: {path: /healthz, interval: 100ms, healthy: 1}"
    async with RawBackend(script(reply(status=b"503 Service Unavailable"))) as backend:
        config = configured(f'{{url: "{backend.url}"}}', f"{health}, breaker: {{}}")
        shared_state, clock = compile_snapshot(config, None, "").shared_state, Clock(time.monotonic, time.time)
        upstreams = build_upstreams(config, shared_state, METRICS, clock, WriteBatch())
        (health_checks,) = build_health_checks(config, upstreams, shared_state, METRICS, clock)
        with capture_logs() as lines:
            health_checks.start()
            count = METRICS.upstream_health_checks
            await until(lambda: count.labels("orders", f"127.0.0.1:{backend.port}", "passed").value > 0)
            assert count.labels("orders", f"127.0.0.1:{backend.port}", "failed").value == 1
            await health_checks.stop()
    assert event_names(lines) >= {"target down", "target up"}
    unchecked = configured('{url: "http://a"}')
    assert build_health_checks(unchecked, {}, shared_state, METRICS, clock) == []


def event_names(lines: Sequence[Mapping[str, object]]) -> set[object]:
    return {line["event"] for line in lines}


async def test_a_worker_reports_its_connections_by_target() -> None:
    async with RawBackend() as backend:
        config = configured(f'{{url: "{backend.url}"}}, {{url: "{backend.url}/b"}}', ", breaker: {}")
        upstreams = build_upstreams(
            config,
            compile_snapshot(config, None, "").shared_state,
            METRICS,
            Clock(time.monotonic, time.time),
            WriteBatch(),
        )
        await upstreams["orders"].targets[1].send(call())
        status, shown = await connections_query(upstreams)({})
        none, one = {"idle": 0, "active": 0, "pending": 0}, {"idle": 1, "active": 0, "pending": 0}
        assert (status, msgspec.to_builtins(shown)) == (200, {"orders": [none, one]})
        await upstreams["orders"].close()


def test_unusable_files(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    config = parse(
        'version: 1\nupstreams: [{id: u, targets: [{url: "https://a"}]}]\nroutes: [{id: r, match: {prefix: /}, upstream: u}]\n'
    )
    tls = config.upstreams[0].tls.model_copy(update={"ca": str(tmp_path / "ca.pem")})
    upstream = config.upstreams[0].model_copy(update={"tls": tls})
    with pytest.raises(PairError, match=r"ca\.pem"):
        build_upstreams(
            config.model_copy(update={"upstreams": (upstream,)}),
            compile_snapshot(config, None, "").shared_state,
            METRICS,
            Clock(time.monotonic, time.time),
            WriteBatch(),
        )


async def test_second_attempts_where_the_configuration_has_them() -> None:
    async with RawBackend(default=script(End.NEVER)) as hung, RawBackend() as other:
        urls = f'{{url: "{hung.url}", weight: 1000}}, {{url: "{other.url}"}}'
        upstream = built(urls, ", hedge: {after: 20ms, budget: 100%}, load_balancing: round_robin")
        for _ in range(3):
            assert (await upstream.send(call())).status == 200
        await upstream.close()
        assert (len(hung.requests), len(other.requests)) == (3, 3)
    assert METRICS.upstream_hedges.labels("orders", "won").value == 3


async def test_retries_are_counted() -> None:
    counter = METRICS.upstream_retries.labels("orders")
    before = counter.value
    async with RawBackend(script(reply()), script(End.CLOSE)) as backend:
        target = built(f'{{url: "{backend.url}"}}')
        for _ in range(2):
            await target.send(call())
        await target.close()
    assert counter.value == before + 1
