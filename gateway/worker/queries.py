"""The queries that a worker answers: the state of its limiter, the limits of a key, its connections to targets."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.kernel.faults import GatewayError
from gateway.keystore.cache import StoredKeys
from gateway.limiter.interface import Limiter
from gateway.openapi.drift.watch import DriftWatch
from gateway.reuse.cache import ReplyCache
from gateway.table.keyring import Caller, Keyring
from gateway.table.routes import Route
from gateway.table.upstreams import AnyUpstream
from gateway.traffic.mirror import MirrorLog
from gateway.usage.report import Accounts
from gateway.worker.query_server import QueryHandler, QueryParameters


def query_handlers(
    limiter: Limiter, keyring: Keyring, routes: Sequence[Route], stored: StoredKeys | None = None
) -> dict[str, QueryHandler]:
    """Return the handlers of three questions.

    `limiter` describes the limiter. `limits` reports the limits of a `key`, on behalf of an `organization` or of the
    key's default one. `reset` resets the rate limits that only the `key` uses, or the `quota` that is named.

    `stored` are the keys in Redis, None if the keys stand in the configuration.
    """
    accounts = Accounts(limiter, routes)

    async def condition(_: QueryParameters) -> tuple[int, object]:
        return 200, limiter.condition()

    async def show(parameters: QueryParameters) -> tuple[int, object]:
        try:
            caller = await _find(keyring, stored, parameters)
            if isinstance(caller, str):
                return 404, {"error": caller}
            own = await limiter.decide(caller.peek)
            return 200, {"store": own.store, **msgspec.structs.asdict(await accounts.of(caller, own))}
        except GatewayError as error:
            return 503, {"error": error.fault.developer_message}

    async def reset(parameters: QueryParameters) -> tuple[int, object]:
        try:
            caller = await _find(keyring, stored, parameters)
        except GatewayError as error:
            return 503, {"error": error.fault.developer_message}
        if isinstance(caller, str):
            return 404, {"error": caller}
        if quota := parameters.get("quota"):
            key = accounts.quota(caller, quota)
            if key is None:
                return 404, {"error": "the key has no quota of this id"}
            names, done = [quota], await limiter.forget(key)
        else:
            buckets = accounts.own_buckets(caller)
            names, done = list(buckets.values()), await limiter.renew(list(buckets))
        if not done:
            return 503, {"error": "Redis is away: only what this gateway counts in memory was reset"}
        return 200, {"key": caller.id, "reset": names}

    return {"limiter": condition, "limits": show, "reset": reset}


async def _find(keyring: Keyring, stored: StoredKeys | None, parameters: QueryParameters) -> Caller | str:
    """Return the caller, or a message that says why there is none.

    The message does not repeat the id: it may be a secret, by mistake.
    """
    key_id = parameters.get("key", "")
    key = keyring.named(key_id) if stored is None else await stored.named(key_id)
    if key is None:
        return "there is no key of this id"
    return key.callers.get(parameters.get("organization")) or "the key does not belong to this organisation"


def connections_query(upstreams: Mapping[str, AnyUpstream]) -> QueryHandler:
    """Report the number of connections of this worker to each target, by upstream, and of calls that wait for one."""

    async def connections(_: QueryParameters) -> tuple[int, object]:
        counts = {}
        for name, called in upstreams.items():
            counts[name] = [_Connections(target.idle, target.active, target.pending) for target in called.targets]
        return 200, counts

    return connections


def purge_query(cache: ReplyCache) -> QueryHandler:
    """Remove kept replies: of a `route`, with a `tag`, or all."""

    async def purge(parameters: QueryParameters) -> tuple[int, object]:
        purged = cache.purge(parameters.get("route"), parameters.get("tag"))
        if purged is None:
            return 404, {"error": "no route of this id has a cache"}
        return 200, {"purged": purged}

    return purge


def mirror_query(mirrors: MirrorLog) -> QueryHandler:
    """Return a handler that reports the last copies that this worker saw answered differently."""

    async def mismatches(_: QueryParameters) -> tuple[int, object]:
        return 200, list(mirrors.mismatches)

    return mismatches


def drift_query(watch: DriftWatch) -> QueryHandler:
    """Return a handler that reports how replies differ from their documents, as this worker has found."""

    async def drift(_: QueryParameters) -> tuple[int, object]:
        return 200, watch.records()

    return drift


class _Connections(msgspec.Struct):
    idle: int
    active: int
    pending: int
