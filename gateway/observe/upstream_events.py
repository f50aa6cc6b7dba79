"""Counts and logs events at upstreams that no single request shows."""

import structlog

from gateway.kernel.traffic.retry import HedgeResult
from gateway.observe.metrics import Metrics
from gateway.settings.schema.upstreams import UpstreamSettings


class UpstreamEvents:
    """The observer of one upstream: of its retries, ejections, health checks and circuit.

    `number` is that of a target.
    """

    def __init__(self, setting: UpstreamSettings, metrics: Metrics) -> None:
        self._upstream = setting.id
        self._names = [target.url.label for target in setting.targets]
        self._metrics = metrics
        self._retries = metrics.upstream_retries.labels(setting.id)

    def retried(self) -> None:
        self._retries.inc()

    def not_retried(self) -> None:
        self._metrics.upstream_retries_refused.labels(self._upstream).inc()

    def hedged(self, result: HedgeResult) -> None:
        self._metrics.upstream_hedges.labels(self._upstream, result).inc()

    def shed(self, priority: int) -> None:
        self._metrics.upstream_shed.labels(self._upstream, priority).inc()

    def ejected(self, number: int, reason: int | str, for_s: float) -> None:
        name = self._names[number]
        self._metrics.upstream_ejections.labels(self._upstream, name, reason).inc()
        structlog.get_logger().warning(
            "target ejected", upstream=self._upstream, target=name, reason=str(reason), for_s=round(for_s, 1)
        )

    def returned(self, number: int) -> None:
        structlog.get_logger().info("target is back", upstream=self._upstream, target=self._names[number])

    def checked(self, number: int, *, passed: bool) -> None:
        result = "passed" if passed else "failed"
        self._metrics.upstream_health_checks.labels(self._upstream, self._names[number], result).inc()

    def changed(self, number: int, result: int | str, *, up: bool) -> None:
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
