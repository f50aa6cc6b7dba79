"""Config -> the upstreams that a worker calls."""

import random
from pathlib import Path

from gateway.kernel.clock import Clock
from gateway.observe.metrics import Metrics
from gateway.observe.series import Counter
from gateway.remote.outbox import Outbox
from gateway.remote.target import Target
from gateway.remote.tls import TLS, ssl_context
from gateway.remote.upstream import Upstream
from gateway.settings import Config
from gateway.settings.schema.routing import Upstream as UpstreamSetting
from gateway.settings.schema.routing import UpstreamTls


def build_upstreams(config: Config, metrics: Metrics, clock: Clock, outbox: Outbox) -> dict[str, Target | Upstream]:
    """By id. Raises PairError for unusable TLS files."""
    return {setting.id: _upstream(setting, metrics, clock, outbox) for setting in config.upstreams}


def _upstream(setting: UpstreamSetting, metrics: Metrics, clock: Clock, outbox: Outbox) -> Target | Upstream:
    """One target needs nobody who chooses."""
    secure = any(target.url.scheme == "https" for target in setting.targets)
    context = ssl_context(_tls(setting.tls)) if secure else None
    retries = _Retries(metrics.upstream_retries.labels(setting.id))
    targets = {
        Target(
            setting.id,
            str(target.url),
            max_connections=setting.connections.max,
            max_pending=setting.connections.max_pending,
            idle_timeout_s=setting.connections.idle_timeout,
            context=context,
            server_name=setting.tls.server_name,
            clock=clock,
            observer=retries,
            outbox=outbox,
        ): target.weight
        for target in setting.targets
    }
    return next(iter(targets)) if len(targets) == 1 else Upstream(setting.id, targets, clock, random.random, retries)


def _tls(files: UpstreamTls) -> TLS:
    return TLS(_path(files.ca), _path(files.certificate), _path(files.private_key), files.verify)


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


class _Retries:
    """Counts what an upstream does unseen."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def connected(self) -> None:
        """Not counted: the pool's size shows it."""

    def retried(self) -> None:
        self._counter.inc()
