"""Keeps the record of this gateway fresh, and knows the others: in the supervisor, through whichever worker answers."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
import structlog

from gateway.fleet.query import FleetAction, FleetQuery
from gateway.fleet.record import FleetMembers, GatewayRecord
from gateway.kernel.clock import Clock
from gateway.net.address import Address

ANNOUNCE_S = 4.0
REMEMBER_S = 60.0
"""The list of the others is read so often, for the time in which Redis is away."""
NO_WORKER = "no worker answers"

AskWorker: TypeAlias = Callable[[dict[str, str]], Awaitable[bytes | None]]
"""Puts the question about the fleet to a worker; None if none answers."""


class OwnRecord(msgspec.Struct, frozen=True):
    """This gateway at this moment.

    `host` and `port` are under which others may reach its admin listener; see `FleetQuery`. `shared`: there is a Redis.
    """

    record: GatewayRecord
    host: str
    port: int
    shared: bool


class FleetMembership:
    """The gateway among the others. `own` describes it, `ask` puts questions to a worker, `chance` is from 0 up to 1.

    A record is announced every ANNOUNCE_S, from the first `tick` until `leave`.
    """

    def __init__(self, own: Callable[[], OwnRecord], ask: AskWorker, clock: Clock, chance: Callable[[], float]) -> None:
        self._own = own
        self._ask = ask
        self._monotonic = clock.monotonic
        self._chance = chance
        self._next_s = 0.0
        self._read_at_s = float("-inf")
        self._known: tuple[GatewayRecord, ...] = ()
        self._has_left = False
        self._is_refused = False

    def __repr__(self) -> str:
        return f"<FleetMembership {len(self._known)} known>"

    @property
    def own(self) -> GatewayRecord:
        """The record of this gateway, without the address that is announced."""
        return self._own().record

    async def tick(self) -> None:
        """Announce this gateway if it is time to. Called often."""
        now_s, own = self._monotonic(), self._own()
        if self._has_left or now_s < self._next_s or not own.shared:
            return
        # Not at the same time for all gateways that were started together.
        self._next_s = now_s + ANNOUNCE_S * (0.75 + self._chance() / 2)
        self._log_refusal((await self._query("announce", own)).stale)
        if now_s - self._read_at_s > REMEMBER_S:
            await self.members()

    def _log_refusal(self, reason: str) -> None:
        """Log once why Redis answers and refuses the record. That it is away is logged by others."""
        is_refused = reason.partition(" ")[0].isupper()  # Redis's error codes are
        if is_refused and not self._is_refused:
            structlog.get_logger().warning("unknown to other gateways", reason=reason)
        self._is_refused = is_refused

    async def members(self) -> FleetMembers:
        """Return all gateways of the fleet, this one first.

        While Redis is away, and without one, they are those that were last known.
        """
        own = self._own()
        if not own.shared:
            return FleetMembers((own.record,))
        found = await self._query("list", own)
        if not found.stale:
            self._read_at_s = self._monotonic()
            self._known = found.gateways
        mine = next((each for each in self._known if each.id == own.record.id), own.record)
        here = msgspec.structs.replace(own.record, admin=mine.admin)
        return FleetMembers((here, *(each for each in self._known if each.id != here.id)), found.stale)

    async def leave(self) -> None:
        """Take the record back, so that nobody asks this gateway any more."""
        own = self._own()
        if own.shared and not self._has_left:
            self._has_left = True
            await self._query("leave", own)

    async def _query(self, action: FleetAction, own: OwnRecord) -> FleetMembers:
        query = FleetQuery(action, own.record, own.host, own.port)
        response = await self._ask({"query": msgspec.json.encode(query).decode()})
        try:
            return FleetMembers((), NO_WORKER) if response is None else msgspec.json.decode(response, type=FleetMembers)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return FleetMembers((), NO_WORKER)


def advertised_address(bound: str, advertised: Address | None) -> Address:
    """Return the host and the port to announce: what the configuration says, or else where the listener is bound."""
    if advertised is not None:
        return advertised
    host, _, port = bound.rpartition(":")
    return Address(host.strip("[]"), int(port))
