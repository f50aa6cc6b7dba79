"""worker/assembly.py: which parts a configuration needs, and how they are connected."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.history.feed import ActivityFeed
from gateway.observe.access_log import AccessRecord
from gateway.observe.recent_errors import ErrorRing
from gateway.observe.shared_memory import Region
from gateway.settings import parse
from gateway.table.snapshot import compile_snapshot
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from gateway.worker.assembly import Assembly
from gateway.worker.channel import Channel
from gateway.worker.context import WorkerContext, WorkerMemory
from gateway.worker.heartbeat import Heartbeat
from tests.authority import Authority
from tests.scrape import scraped
from tests.unit.tracing.spans import span
from tests.yaml_files import LEAST

REDIS = "redis: {url: 'redis://127.0.0.1:1'}\n"


@contextmanager
def assembled(text: str, *, checks_targets: bool = False, least: str = LEAST) -> Iterator[Assembly]:
    config = parse(least + text)
    ours, theirs = Channel.pair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as sock:
        sockets = [(listener, [sock]) for listener in config.server.listeners]
        context = WorkerContext(
            sockets,
            Region.shared(),
            ErrorRing(),
            Heartbeat(),
            theirs,
            2,
            checks_targets,
            1,
            WorkerMemory.shared(),
            MaintenanceSwitch(),
            ActivityFeed(),
        )
        yield Assembly(compile_snapshot(config, None, "gateway.yaml"), context)


def test_without_redis_limits_are_counted_in_memory() -> None:
    with assembled("") as assembly:
        assert assembly.limiter.condition().decides == "memory"
        assert (assembly.key_sync, assembly.health_checks, assembly.listeners) == (None, [], [])


async def test_listeners_and_query_handlers_exist_after_build_listeners() -> None:
    with assembled("") as assembly:
        assembly.build_listeners()
        assert (len(assembly.listeners), assembly.connections) == (1, 0)
        assert set(assembly.query_handlers) == {
            "captures",
            "limiter",
            "limits",
            "reset",
            "connections",
            "drift",
            "explain",
            "mirror",
            "purge",
            "usage",
        }
        status, connections = await assembly.query_handlers["connections"]({})
        assert (status, msgspec.to_builtins(connections)) == (
            200,
            {"service": [{"idle": 0, "active": 0, "pending": 0}]},
        )
        shown = scraped(assembly.metrics)
        assert b"gateway_client_connections 0" in shown
        assert b"gateway_redis_up" not in shown


async def test_a_listener_may_redirect_to_https() -> None:
    with assembled('server: {listeners: [{id: a, address: "127.0.0.1:0", redirect: https}]}\n') as assembly:
        assembly.build_listeners()
        assert len(assembly.listeners) == 1


async def test_a_certificate_that_breaks_after_the_check_is_an_error_of_the_system(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, private_key = authority.write("a", "localhost")
    pair = f"{{certificate: {certificate}, private_key: {private_key}}}"
    text = f'server: {{listeners: [{{id: a, address: "127.0.0.1:0", tls: {{certificates: [{pair}]}}}}]}}\n'
    with assembled(text) as assembly:
        authority.spoil("a")
        with pytest.raises(OSError, match=r"a\.crt"):
            assembly.build_listeners()


@pytest.mark.parametrize(("checks_targets", "count"), [(True, 1), (False, 0)])
def test_one_worker_of_a_node_checks_the_targets(*, checks_targets: bool, count: int) -> None:
    checked = LEAST.replace("}]}]\nroutes", "}], health: {path: /healthz}}]\nroutes")
    with assembled("", checks_targets=checks_targets, least=checked) as assembly:
        assert len(assembly.health_checks) == count


async def test_with_redis_the_state_of_redis_is_shown_and_logged() -> None:
    with assembled(REDIS + "keys: {store: redis}\n") as assembly:
        assert assembly.key_sync is not None
        assembly.build_listeners()
        assert b"gateway_redis_up 0" in scraped(assembly.metrics)
        with capture_logs() as lines:
            assembly._redis_changed(up=True, reason="")
            assembly._redis_changed(up=False, reason="refused")
        assert [line["event"] for line in lines] == ["redis is up", "redis is away"]
        assert lines[1]["reason"] == "refused"
        assert not assembly.context.heartbeat.redis_up


async def test_traces_have_a_queue_that_is_watched_and_a_share_that_is_sampled() -> None:
    text = "observability: {traces: {endpoint: 'http://127.0.0.1:1/v1/traces', sample: 100%}}\n"
    with assembled("") as without, assembled(text) as assembly:
        assert without.spans is None
        assert assembly.spans is not None
        assembly.build_listeners()
        assembly.spans.close()
        assert not assembly.spans.offer((span(),))
        assembly.metrics.refresh()
        assert b"gateway_spans_dropped_total 1" in scraped(assembly.metrics)
        assert b"gateway_spans_exported_total 0" in scraped(assembly.metrics)


async def test_usage_is_counted_where_it_is_asked_for() -> None:
    usage = "observability: {usage: {}}\n"
    with assembled(REDIS) as without, assembled(REDIS + usage) as assembly:
        assert without.usage is None
        assert b"gateway_usage_calls_owed" not in scraped(without.metrics)
        assert assembly.usage is not None
        assembly.usage.counts.numbers("acme", "ci", "all")[0] += 3
        assembly.usage.collect()
        assembly.metrics.refresh()
        assert b"gateway_usage_calls_owed 3" in scraped(assembly.metrics)
        assert assembly.context.memory.usage.used > 0
        without.context.memory.close()


def test_access_lines_are_left_to_a_reader_while_there_is_one() -> None:
    with assembled("observability: {log: {access: false}}\n") as assembly:
        lines, access = assembly.context.lines, assembly.log.access
        assembly.beat(1.0)
        assert (access.enabled, lines.is_writing) == (False, False)
        lines.is_followed = True
        assembly.beat(1.0)
        assert (access.enabled, lines.is_writing) == (True, True)
        access.write(AccessRecord(request_id="r", status=200), 0.0)
        lines.is_followed = False
        assembly.beat(1.0)
        assert (access.enabled, lines.is_writing, lines.count) == (False, False, 1)
