"""The configuration compiled: everything that can be decided before a request arrives, decided."""

from typing import Literal, Protocol, TypeAlias

import msgspec

from gateway.kernel.bucket import Window
from gateway.kernel.faults import Fault
from gateway.remote.call import Answer, Call

Mode: TypeAlias = Literal["auto", "wrap", "passthrough"]
Family: TypeAlias = Literal["general", "analytics", "notification"]


class Sender(Protocol):
    """What a route needs of an upstream."""

    id: str

    async def send(self, call: Call) -> Answer:
        """Raises GatewayError with a fault whose source is `upstream`, or UPSTREAM_SATURATED."""
        ...


class Envelope(msgspec.Struct, frozen=True):
    """How a route turns an Answer into a Reply. Sizes in bytes.

    `auto` keeps replies that already are envelopes and wraps the others, `wrap` wraps all, `passthrough` none.
    """

    mode: Mode
    max_buffer: int
    binary: Literal["passthrough", "refuse"]


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request, as far as the gateway cares: a key of the configuration, or a client address on an open route.

    `id` goes to logs and to the upstream, `bucket` (a hash) to the limiter's store. `windows` are its plan's limits.
    """

    id: str
    organization: str | None
    plan: str
    bucket: str
    windows: tuple[Window, ...]


class Route(msgspec.Struct, frozen=True):
    """One way through the gateway.

    `faults` is the catalogue with the operator's overrides, by name. `remove_response` holds lower-case names.
    """

    id: str
    upstream: Sender
    methods: tuple[str, ...]
    envelope: Envelope
    family: Family
    faults: dict[str, Fault]
    open: bool
    request_set: tuple[tuple[bytes, bytes], ...]
    request_remove: frozenset[bytes]
    response_set: tuple[tuple[str, str], ...]
    response_remove: frozenset[bytes]
    connect_timeout_s: float
    first_byte_timeout_s: float
    total_timeout_s: float
