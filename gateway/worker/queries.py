"""What a worker tells its supervisor of the limiter and of keys' limits, by question."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.kernel.faults import GatewayError
from gateway.keystore.cache import StoredKeys
from gateway.limiter.interface import TendedLimiter
from gateway.table.keyring import Caller, Keyring
from gateway.table.routes import Route
from gateway.table.upstreams import Called
from gateway.usage.report import Accounts
from gateway.worker.query_server import About, QueryHandler


def query_handlers(
    limiter: TendedLimiter, keyring: Keyring, routes: Sequence[Route], stored: StoredKeys | None = None
) -> dict[str, QueryHandler]:
    """`limiter` is how it is; `limits` are those of a `key`, on behalf of an `organization` or the default one; `reset` is for a `key`:
    of what it alone may use of rates, or of the one `quota` that is named.

    `stored` are the keys, where they are not in the configuration.
    """
    accounts = Accounts(limiter, routes)

    async def condition(_: About) -> tuple[int, object]:
        return 200, limiter.condition()

    async def show(about: About) -> tuple[int, object]:
        try:
            caller = await _find(keyring, stored, about)
            if isinstance(caller, str):
                return 404, {"error": caller}
            own = await limiter.decide(caller.peek)
            return 200, {"store": own.store, **msgspec.structs.asdict(await accounts.of(caller, own))}
        except GatewayError as error:
            return 503, {"error": error.fault.developer_message}

    async def reset(about: About) -> tuple[int, object]:
        try:
            caller = await _find(keyring, stored, about)
        except GatewayError as error:
            return 503, {"error": error.fault.developer_message}
        if isinstance(caller, str):
            return 404, {"error": caller}
        if quota := about.get("quota"):
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


async def _find(keyring: Keyring, stored: StoredKeys | None, about: About) -> Caller | str:
    """Or why there is none. What was asked is not repeated: somebody may have taken a secret for the id."""
    key_id = about.get("key", "")
    key = keyring.named(key_id) if stored is None else await stored.named(key_id)
    if key is None:
        return "there is no key of this id"
    return key.callers.get(about.get("organization")) or "the key does not belong to this organisation"


def connections_query(upstreams: Mapping[str, Called]) -> QueryHandler:
    """Tells how many connections this worker has to each target, by upstream, and how many calls wait for one."""

    async def connections(_: About) -> tuple[int, object]:
        told = {}
        for name, called in upstreams.items():
            told[name] = [_Connections(target.idle, target.active, target.pending) for target in called.targets]
        return 200, told

    return connections


class _Connections(msgspec.Struct):
    idle: int
    active: int
    pending: int
