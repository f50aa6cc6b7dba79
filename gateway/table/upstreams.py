"""Config -> the upstreams that a worker calls."""

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from gateway.kernel.clock import Clock
from gateway.net.write_batch import Outbox
from gateway.observe.metrics import Metrics
from gateway.observe.upstream_events import UpstreamEvents
from gateway.settings import Config
from gateway.settings.schema.health import Health
from gateway.settings.schema.upstreams import UpstreamSettings, UpstreamTls
from gateway.upstream.circuit_breaker import Breaking, CircuitBreaker
from gateway.upstream.health_checks import Checks, HealthChecks
from gateway.upstream.names import Names
from gateway.upstream.outlier_detection import Ejection, OutlierDetector
from gateway.upstream.shared_state import SharedState, UpstreamRow
from gateway.upstream.target import Target
from gateway.upstream.tls import TLS, ssl_context
from gateway.upstream.upstream import Upstream

Called: TypeAlias = Target | Upstream | CircuitBreaker


def build_upstreams(config: Config, board: SharedState, metrics: Metrics, clock: Clock, outbox: Outbox) -> dict[str, Called]:
    """By id. Raises PairError for unusable TLS files."""
    names = Names(clock, board.names)
    return {setting.id: _upstream(setting, board.upstreams[setting.id], metrics, clock, outbox, names) for setting in config.upstreams}


def build_health_checks(
    config: Config, upstreams: Mapping[str, Called], board: SharedState, metrics: Metrics, clock: Clock
) -> list[HealthChecks]:
    """What checks the targets of all `upstreams` that want it: for one worker of the node."""
    rounds = []
    for setting in config.upstreams:
        if setting.health is not None:
            called, row, watching = upstreams[setting.id], board.upstreams[setting.id], UpstreamEvents(setting, metrics)
            rounds.append(HealthChecks(called.targets, row, _checks(setting.health), watching, clock, random.random))
    return rounds


def _upstream(setting: UpstreamSettings, row: UpstreamRow, metrics: Metrics, clock: Clock, outbox: Outbox, names: Names) -> Called:
    """Only what is needed: one target needs nobody who chooses."""
    watching = UpstreamEvents(setting, metrics)
    targets = _targets(setting, watching, clock, outbox, names)
    called: Target | Upstream = targets[0]
    if len(targets) > 1:
        rules = setting.outlier_detection
        ejection = Ejection(rules.consecutive_failures, rules.base_ejection_time, rules.max_ejection_time, rules.max_ejection_percent)
        weights = {number: target.weight for number, target in enumerate(setting.targets)}
        outlier_detector = OutlierDetector(row, weights, ejection, watching, os.getpid(), clock, random.random)
        called = Upstream(setting.id, targets, outlier_detector, clock, random.random, watching)
    if setting.breaker is None:
        return called
    breaking = Breaking(setting.breaker.consecutive_failures, setting.breaker.base_open_time, setting.breaker.max_open_time)
    return CircuitBreaker(called, row, breaking, watching, clock, random.random)


def _targets(setting: UpstreamSettings, watching: "UpstreamEvents", clock: Clock, outbox: Outbox, names: Names) -> Sequence[Target]:
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
