"""What is known of the servers of a Redis, for operators."""

from typing import Literal

import msgspec


class RedisServerStatus(msgspec.Struct):
    """A Redis server as a gateway sees it. `up` is None before it was looked for, `failures` are those in a row."""

    address: str
    up: bool | None
    breaker: Literal["open", "closed"]
    failures: int
    in_flight: int


class RedisStatus(msgspec.Struct):
    """`since` is when it came to be so, as an ISO date, `reason` why it is away; `gateways` are those that share it, as far as is known."""

    up: bool
    since: str | None
    reason: str
    servers: list[RedisServerStatus]
    gateways: int
