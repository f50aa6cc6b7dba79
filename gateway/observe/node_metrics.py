"""The series of the whole node: what its supervisor counts, and its workers' counts added up."""

import platform
from collections.abc import Callable, Generator, Mapping

from gateway import __version__
from gateway.observe.exposition import Exposition
from gateway.observe.families import Families
from gateway.observe.instruments import Family, Gauge
from gateway.observe.shared_memory import ABSENT, Region
from gateway.system.compiled import in_use

_MOST_WORKERS = 512
"""Twice as many as there may be."""
_MOST_TARGETS = 4000


class NodeMetrics(Families):
    """The supervisor's metrics in `region` (None: a new one), and the text of a scrape of the node."""

    def __init__(self, region: Region | None = None) -> None:
        super().__init__(region or Region.create())
        self.workers = self._gauge("gateway_workers", "Workers, by what they are doing.", ("state",), 4)
        self.restarts = self._counter(
            "gateway_worker_restarts_total",
            "Workers that ended by themselves and were replaced, by how they ended.",
            ("reason",),
            4,
        )
        # There from the start: an increase from nothing to 1 is none to Prometheus.
        for reason in ("ended", "crashed", "killed", "stuck"):
            self.restarts.labels(reason)
        self.loop_lag = self._gauge(
            "gateway_event_loop_lag_seconds",
            "Longest delay of a worker's event loop in the last 15 s.",
            ("worker",),
            _MOST_WORKERS,
        )
        self.reload_successful = self._gauge(
            "gateway_config_last_reload_successful",
            "1 if the configuration that was read last is in force, 0 if it was refused.",
        ).labels()
        self.reload_at = self._gauge(
            "gateway_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was read, in Unix time.",
        ).labels()
        self.reloads = self._counter(
            "gateway_config_reloads_total", "Configurations read, by what came of it.", ("result",), 4
        )
        self.config_routes = self._gauge("gateway_config_routes", "Routes in the configuration in force.").labels()
        self.config_keys = self._gauge(
            "gateway_config_keys", "API keys in the configuration; absent where they are in Redis."
        ).labels()
        self.targets_up = self._gauge(
            "gateway_upstream_target_up",
            "1 while a target is called, 0 while it is down by its checks or left alone.",
            ("upstream", "target"),
            _MOST_TARGETS,
        )
        self.breaker_open = self._gauge(
            "gateway_upstream_breaker_open",
            "1 from when the circuit of an upstream opens until a call is answered.",
            ("upstream",),
            _MOST_TARGETS,
        )
        self._config_info = self._info("gateway_config_info", "The configuration in force.", ("file", "hash"))
        self._config_in_force: Gauge | None = None
        self._info("gateway_build_info", "The program.", ("version", "python", "implementation", "compiled")).labels(
            __version__, platform.python_version(), platform.python_implementation(), str(in_use()).lower()
        ).set(1)
        self._watched: dict[str, frozenset[tuple[str, ...]]] = {}
        self._exposition = Exposition([self.region])

    def config_loaded(
        self,
        *,
        file: str,
        digest: str,
        routes: frozenset[str],
        upstreams: frozenset[str],
        keys: int | None,
        targets: Mapping[tuple[str, ...], Callable[[], float]],
        breakers: Mapping[tuple[str, ...], Callable[[], float]],
    ) -> None:
        """Note the configuration in force. `digest` distinguishes two contents of `file`.

        `keys` is how many keys it has, None where they are in Redis.

        `targets` tells whether each target is up, by upstream and name, `breakers` whether the circuit is open, by
        upstream. Series of other routes, upstreams and targets are no longer shown.
        """
        if self._config_in_force is not None:
            self._config_in_force.set(0)
        self._config_in_force = self._config_info.labels(file, digest)
        self._config_in_force.set(1)
        self.config_routes.set(len(routes))
        self.config_keys.set(ABSENT if keys is None else keys)
        self._watch(self.targets_up, targets)
        self._watch(self.breaker_open, breakers)
        self._exposition.show(
            {"route": routes, "upstream": upstreams, "target": frozenset(names[1] for names in targets)}
        )

    def lag(self, worker: int, lag_s: float | None) -> None:
        """Return the event loop's delay of a worker; None if that worker has ended."""
        self.loop_lag.labels(worker).set(ABSENT if lag_s is None else lag_s)

    def add(self, region: Region) -> None:
        """Add a region in which a worker counts, or has counted."""
        self._exposition.add(region)

    def _watch(self, gauges: Family[Gauge], sources: Mapping[tuple[str, ...], Callable[[], float]]) -> None:
        """Make `gauges`, by their labels, the present ones."""
        for values in self._watched.get(gauges.declaration.name, frozenset()) - sources.keys():
            gauges.labels(*values).watch(lambda: ABSENT)
        for values, source in sources.items():
            gauges.labels(*values).watch(source)
        self._watched[gauges.declaration.name] = frozenset(sources)

    def pieces(self, accept: str = "") -> tuple[Generator[bytes, None, None], str]:
        """Return the body of a scrape, in pieces of less than a millisecond each, and its content type."""
        self.refresh()
        return self._exposition.pieces(accept)
