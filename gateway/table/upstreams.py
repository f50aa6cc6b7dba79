"""Builds the upstreams of a configuration, and their health checks."""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from gateway.kernel.clock import Clock
from gateway.kernel.load_balancing import Draw, Picker, Rendezvous, RoundRobin, seed_of
from gateway.kernel.traffic.concurrency_limit import ConcurrencyLimit, LimitBounds
from gateway.kernel.traffic.eligible import TargetGroups
from gateway.kernel.traffic.retry import RetryBudget
from gateway.net.name_resolver import NameResolver
from gateway.net.write_batch import WriteBatch
from gateway.observe.metrics import Metrics
from gateway.observe.upstream_events import UpstreamEvents
from gateway.settings import Config
from gateway.settings.schema.health import Health
from gateway.settings.schema.upstreams import UpstreamSettings, UpstreamTls
from gateway.traffic.adaptive_concurrency import AdaptiveConcurrency
from gateway.traffic.route_retry import retry_policy
from gateway.upstream.circuit_breaker import BreakerRules, CircuitBreaker
from gateway.upstream.health_checks import HealthCheckRules, HealthChecks
from gateway.upstream.hedging import HedgeRules, Hedging
from gateway.upstream.outlier_detection import EjectionRules, OutlierDetector
from gateway.upstream.shared_state import SharedState, UpstreamRow
from gateway.upstream.target import Target
from gateway.upstream.tls import TlsFiles, ssl_context
from gateway.upstream.upstream import Upstream

AnyUpstream: TypeAlias = Target | Upstream | CircuitBreaker | AdaptiveConcurrency


def build_upstreams(
    config: Config, shared_state: SharedState, metrics: Metrics, clock: Clock, write_batch: WriteBatch
) -> dict[str, AnyUpstream]:
    """Return all upstreams by id. Raises PairError for unusable TLS files."""
    names = NameResolver(clock, shared_state.names)
    repeating = [route for route in config.routes if route.retry.model_fields_set]
    repeated = {each.id for route in repeating for each in config.upstreams_of(route)}
    return {
        setting.id: _upstream(
            setting,
            shared_state.upstreams[setting.id],
            metrics,
            clock,
            write_batch,
            names,
            again=setting.retry is not None or setting.id in repeated,
        )
        for setting in config.upstreams
    }


def build_health_checks(
    config: Config, upstreams: Mapping[str, AnyUpstream], shared_state: SharedState, metrics: Metrics, clock: Clock
) -> list[HealthChecks]:
    """Return the health checks of all `upstreams` that have any. One worker of the node runs them."""
    health_checks = []
    for setting in config.upstreams:
        if setting.health is not None:
            targets, row = upstreams[setting.id].targets, shared_state.upstreams[setting.id]
            events = UpstreamEvents(setting, metrics)
            health_checks.append(HealthChecks(targets, row, _checks(setting.health), events, clock, random.random))
    return health_checks


def _upstream(
    setting: UpstreamSettings,
    row: UpstreamRow,
    metrics: Metrics,
    clock: Clock,
    write_batch: WriteBatch,
    names: NameResolver,
    *,
    again: bool,
) -> AnyUpstream:
    """Build only the layers that are needed.

    A single target needs no choice unless calls are sent to it `again`, and the circuit breaker is optional.
    """
    events = UpstreamEvents(setting, metrics)
    targets = _targets(setting, events, clock, write_batch, names)
    upstream: Target | Upstream = targets[0]
    if len(targets) > 1 or again:
        rules = setting.outlier_detection
        ejection = EjectionRules(
            rules.consecutive_failures, rules.base_ejection_time, rules.max_ejection_time, rules.max_ejection_percent
        )
        weights = {number: target.weight for number, target in enumerate(setting.targets)}
        priorities = {number: target.priority for number, target in enumerate(setting.targets)}
        outlier_detector = OutlierDetector(
            row,
            weights,
            ejection,
            events,
            os.getpid(),
            clock,
            random.random,
            groups=TargetGroups(weights, priorities, setting.load_balancing.panic_threshold),
            picker=_picker(setting),
            slow_start_s=setting.load_balancing.slow_start or 0.0,
        )
        hedge = setting.hedge
        hedging = None
        if hedge is not None:
            methods = frozenset(method.encode() for method in hedge.methods)
            hedged = HedgeRules(methods, hedge.after_s, hedge.quantile, hedge.budget)
            hedging = Hedging(hedged, targets, outlier_detector, clock, random.random, events)
        upstream = Upstream(
            setting.id,
            targets,
            outlier_detector,
            clock,
            random.random,
            events,
            policy=None if setting.retry is None else retry_policy(setting.retry),
            budget=None if setting.retry is None else RetryBudget(setting.retry.budget),
            hedging=hedging,
        )
    called: Target | Upstream | CircuitBreaker = upstream
    if setting.breaker is not None:
        breaking = BreakerRules(
            setting.breaker.consecutive_failures, setting.breaker.base_open_time, setting.breaker.max_open_time
        )
        called = CircuitBreaker(upstream, row, breaking, events, clock, random.random)
    adaptive = setting.adaptive_concurrency
    if adaptive is None:
        return called
    limit = ConcurrencyLimit(LimitBounds(adaptive.min, adaptive.max))
    bounded = AdaptiveConcurrency(called, limit, adaptive.max_wait, events, clock)
    metrics.upstream_concurrency.labels(setting.id, "limit").watch(lambda: bounded.limit)
    metrics.upstream_concurrency.labels(setting.id, "in_flight").watch(lambda: bounded.in_flight)
    metrics.upstream_concurrency.labels(setting.id, "waiting").watch(lambda: bounded.waiting)
    return bounded


def _picker(setting: UpstreamSettings) -> Callable[[Mapping[int, int]], Picker]:
    if setting.load_balancing.consistent_hash is None:
        return RoundRobin if setting.load_balancing.policy == "round_robin" else Draw
    # By URL: the same in all gateways, wherever a target stands in the file
    seeds = {number: seed_of(str(target.url)) for number, target in enumerate(setting.targets)}
    return lambda weights: Rendezvous(weights, seeds)


def _targets(
    setting: UpstreamSettings, events: UpstreamEvents, clock: Clock, write_batch: WriteBatch, names: NameResolver
) -> Sequence[Target]:
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
            observer=events,
            write_batch=write_batch,
            names=names,
            max_age_s=setting.connections.max_age,
        )
        for target in setting.targets
    ]


def _checks(health: Health) -> HealthCheckRules:
    return HealthCheckRules(
        health.path, health.interval, health.timeout, health.healthy, health.unhealthy, health.expect
    )


def _tls(files: UpstreamTls) -> TlsFiles:
    return TlsFiles(_path(files.ca), _path(files.certificate), _path(files.private_key), files.verify)


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
