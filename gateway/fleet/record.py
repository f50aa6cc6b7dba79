"""What a gateway tells the others of itself."""

import msgspec


class GatewayRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A gateway of the fleet: one supervisor with its workers.

    `id` is new with each start. `host` is the name of its machine. `admin` is the `address:port` of its admin listener,
    "" for one that cannot be reached from elsewhere. `config_digest` identifies the content of its configuration.
    `started_at` is Unix time in seconds. `age_s` are the seconds since it was last heard of, by the clock of Redis;
    None for the gateway itself.
    """

    id: str
    host: str
    admin: str
    version: str
    config_digest: str
    started_at: float
    age_s: float | None = None


class FleetMembers(msgspec.Struct, frozen=True):
    """The gateways that are known, and the reason why they are not those of this moment; "" if they are."""

    gateways: tuple[GatewayRecord, ...]
    stale: str = ""
