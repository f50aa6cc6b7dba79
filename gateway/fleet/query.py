"""The questions about the fleet that a worker answers, because it has the connection to Redis."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeAlias

import msgspec

from gateway.fleet.address import reachable
from gateway.fleet.record import FleetMembers, GatewayRecord
from gateway.fleet.registry import FleetRegistry
from gateway.net.redis_url import parse
from gateway.redis_client.address import RedisConnectionError
from gateway.settings.schema.server import RedisSettings

QUESTION = "fleet"
FleetAction: TypeAlias = Literal["announce", "leave", "list"]


class FleetQuery(msgspec.Struct, frozen=True):
    """What the supervisor asks a worker to do.

    `host` and `port` are those of the admin listener, or of the name that `admin.advertise` gives it.
    """

    action: FleetAction
    record: GatewayRecord
    host: str
    port: int


def fleet_query(
    registry: FleetRegistry, redis: RedisSettings
) -> Callable[[Mapping[str, str]], Awaitable[tuple[int, object]]]:
    """Return the handler of QUESTION, whose parameter `query` is a FleetQuery in JSON. It returns `FleetMembers`."""
    hosts = parse(redis.login_url()).hosts
    towards = hosts[0] if hosts else None

    async def handle(parameters: Mapping[str, str]) -> tuple[int, object]:
        query = msgspec.json.decode(parameters["query"], type=FleetQuery)
        try:
            if query.action == "leave":
                await registry.leave(query.record.id)
            elif query.action == "announce":
                admin = await reachable(query.host, query.port, towards)
                await registry.announce(msgspec.structs.replace(query.record, admin=admin))
            else:
                return 200, FleetMembers(tuple(await registry.members()))
        except RedisConnectionError as error:
            return 503, FleetMembers((), str(error))
        return 200, FleetMembers(())

    return handle
