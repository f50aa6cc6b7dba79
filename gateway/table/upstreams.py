"""Config -> the upstreams that a worker calls."""

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from gateway.kernel.clock import Clock
from gateway.kernel.faults import Fault
from gateway.observe.metrics import Metrics
from gateway.remote.board import Board, UpstreamRow
from gateway.remote.circuit import Breaking, Circuit
from gateway.remote.desk import About, Clerk
from gateway.remote.names import Names
from gateway.remote.outbox import Outbox
from gateway.remote.rounds import Checks, Rounds
from gateway.remote.standing import Ejection, Standing
from gateway.remote.target import Target
from gateway.remote.tls import TLS, ssl_context
from gateway.remote.upstream import Upstream
from gateway.settings import Config
from gateway.settings.schema.health import Health
from gateway.settings.schema.upstreams import Target as TargetSetting
from gateway.settings.schema.upstreams import Upstream as UpstreamSetting
from gateway.settings.schema.upstreams import UpstreamTls

Called: TypeAlias = Target | Upstream | Circuit


def build_upstreams(config: Config, board: Board, metrics: Metrics, clock: Clock, outbox: Outbox) -> dict[str, Called]:
    """By id. Raises PairError for unusable TLS files."""
    names = Names(clock, board.names)
    return {setting.id: _upstream(setting, board.upstreams[setting.id], metrics, clock, outbox, names) for setting in config.upstreams}


def build_rounds(config: Config, upstreams: Mapping[str, Called], board: Board, metrics: Metrics, clock: Clock) -> list[Rounds]:
    """What checks the targets of all `upstreams` that want it: for one worker of the node."""
    rounds = []
    for setting in config.upstreams:
        if setting.health is not None:
            called, row, watching = upstreams[setting.id], board.upstreams[setting.id], _Watching(setting, metrics)
            rounds.append(Rounds(called.targets, row, _checks(setting.health), watching, clock, random.random))
    return rounds


def connections_clerk(upstreams: Mapping[str, Called]) -> Clerk:
    """Tells how many connections this worker has to each target, by upstream, and how many calls wait for one."""

    async def connections(_: About) -> tuple[int, object]:
        told = {}
        for name, called in upstreams.items():
            told[name] = [_Connections(target.idle, target.active, target.pending) for target in called.targets]
        return 200, told

    return connections


def name_of(target: TargetSetting) -> str:
    """What logs and metrics call it."""
    return str(target.url).partition("://")[2]


def _upstream(setting: UpstreamSetting, row: UpstreamRow, metrics: Metrics, clock: Clock, outbox: Outbox, names: Names) -> Called:
    """Only what is needed: one target needs nobody who chooses."""
    watching = _Watching(setting, metrics)
    targets = _targets(setting, watching, clock, outbox, names)
    called: Target | Upstream = targets[0]
    if len(targets) > 1:
        rules = setting.outlier_detection
        ejection = Ejection(rules.consecutive_failures, rules.base_ejection_time, rules.max_ejection_time, rules.max_ejection_percent)
        weights = {number: target.weight for number, target in enumerate(setting.targets)}
        standing = Standing(row, weights, ejection, watching, os.getpid(), clock, random.random)
        called = Upstream(setting.id, targets, standing, clock, random.random, watching)
    if setting.breaker is None:
        return called
    breaking = Breaking(setting.breaker.consecutive_failures, setting.breaker.base_open_time, setting.breaker.max_open_time)
    return Circuit(called, row, breaking, watching, clock, random.random)


def _targets(setting: UpstreamSetting, watching: "_Watching", clock: Clock, outbox: Outbox, names: Names) -> Sequence[Target]:
    secure = any(target.url.scheme == "https" for target in setting.targets)
    context = ssl_context(_tls(setting.tls)) if secure else None
    return [
        Target(
            setting.id,
            str(target.url),
            max_connections=setting.connections.max,
            max_pending=setting.connections.max_pending,
            max_caller_percent=setting.connections.max_caller_percent,
            max_stream_percent=setting.connections.max_stream_percent,
            idle_timeout_s=setting.connections.idle_timeout,
            context=context,
            server_name=setting.tls.server_name,
            clock=clock,
            observer=watching,
            outbox=outbox,
            names=names,
            max_age_s=setting.connections.max_age,
        )
        for target in setting.targets
    ]


def _checks(health: Health) -> Checks:
    return Checks(health.path, health.interval, health.timeout, health.healthy, health.unhealthy, health.expect)


def _tls(files: UpstreamTls) -> TLS:
    return TLS(_path(files.ca), _path(files.certificate), _path(files.private_key), files.verify)


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


class _Connections(msgspec.Struct):
    idle: int
    active: int
    pending: int


class _Watching:
    """Counts and logs what an upstream does unseen."""

    def __init__(self, setting: UpstreamSetting, metrics: Metrics) -> None:
        self._upstream = setting.id
        self._names = [name_of(target) for target in setting.targets]
        self._metrics = metrics
        self._retries = metrics.upstream_retries.labels(setting.id)

    def connected(self) -> None:
        """Not counted: the pool's size shows it."""

    def retried(self) -> None:
        self._retries.inc()

    def ejected(self, number: int, fault: Fault, for_s: float) -> None:
        name = self._names[number]
        self._metrics.upstream_ejections.labels(self._upstream, name, fault.name).inc()
        structlog.get_logger().warning("target ejected", upstream=self._upstream, target=name, reason=fault.name, for_s=round(for_s, 1))

    def returned(self, number: int) -> None:
        structlog.get_logger().info("target is back", upstream=self._upstream, target=self._names[number])

    def checked(self, number: int, passed: bool) -> None:
        result = "passed" if passed else "failed"
        self._metrics.upstream_health_checks.labels(self._upstream, self._names[number], result).inc()

    def turned(self, number: int, up: bool, result: int | str) -> None:
        log = structlog.get_logger().bind(upstream=self._upstream, target=self._names[number], result=result)
        if up:
            log.info("target up")
        else:
            log.warning("target down")

    def opened(self, for_s: float) -> None:
        self._metrics.upstream_breaker_opened.labels(self._upstream).inc()
        structlog.get_logger().warning("circuit opened", upstream=self._upstream, for_s=round(for_s, 1))

    def closed(self) -> None:
        structlog.get_logger().info("circuit closed", upstream=self._upstream)
