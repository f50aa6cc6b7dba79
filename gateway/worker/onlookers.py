"""Builds those who are shown what becomes of calls, and the queries about what they have seen."""

from gateway.observe.metrics import Metrics
from gateway.openapi.drift.watch import DriftWatch
from gateway.system.clock import SYSTEM_CLOCK
from gateway.table.snapshot import Snapshot
from gateway.traffic.mirror import MirrorLog
from gateway.traffic.senders import Onlookers
from gateway.worker.queries import drift_query, mirror_query
from gateway.worker.query_server import QueryHandler


def onlookers_of(snapshot: Snapshot, metrics: Metrics) -> tuple[Onlookers, dict[str, QueryHandler]]:
    """Return what watches the calls of all routes, and the handlers of the queries `mirror` and `drift`."""
    id_field = snapshot.config.observability.request_id.header
    mirrors = MirrorLog(lambda route, result: metrics.mirrored.labels(route, result).inc(), SYSTEM_CLOCK.wall, id_field)
    drift = DriftWatch(
        lambda route, result: metrics.replies_checked.labels(route, result).inc(),
        lambda route, kind: metrics.reply_drift.labels(route, kind).inc(),
        SYSTEM_CLOCK.wall,
        id_field,
    )
    samples = {route: drift.taker(route, contract) for route, contract in snapshot.replies.items()}
    return Onlookers(mirrors, samples), {"mirror": mirror_query(mirrors), "drift": drift_query(drift)}
