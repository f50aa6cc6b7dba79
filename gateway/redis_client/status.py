"""The state of a Redis and its servers, for operators."""

from typing import Literal, Protocol

import msgspec
from msgspec import field


class RedisServerStatus(msgspec.Struct):
    """A Redis server as a gateway sees it.

    `up` is None before the first attempt to reach it. `availability` is "open" while the server counts as away, and is
    not asked; operators read it as `breaker`. `failures` counts those in a row.
    """

    address: str
    up: bool | None
    availability: Literal["open", "closed"] = field(name="breaker")
    failures: int
    in_flight: int


class RedisStatus(msgspec.Struct):
    """Redis as a gateway sees it.

    `since` is the ISO date of the last change of `up`, None before the first; `reason` is why it is away. `gateways`
    counts those that share it, as far as is known.
    """

    up: bool
    since: str | None
    reason: str
    servers: list[RedisServerStatus]
    gateways: int


class StateListener(Protocol):
    """Is called when Redis is reached or found away for the first time, and at each change after that."""

    def __call__(self, *, up: bool, reason: str) -> None:
        """Note the state. `reason` is why Redis is away, "" when it is up."""
        ...
