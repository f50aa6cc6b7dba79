"""fleet/membership.py: a gateway announces itself, and remembers the others."""

from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.fleet.membership import ANNOUNCE_S, NO_WORKER, REMEMBER_S, FleetMembership, OwnRecord, advertised_address
from gateway.fleet.query import FleetQuery
from gateway.fleet.record import FleetMembers, GatewayRecord
from gateway.net.address import Address
from tests.clocks import ManualClock

ME = GatewayRecord("me", "h", "", "1.2", "abc", 1_800_000_000.5)
OTHER = msgspec.structs.replace(ME, id="other", admin="10.0.0.8:9901")
ANNOUNCED = msgspec.structs.replace(ME, admin="10.0.0.7:9901", age_s=1.0)


class Fleet:
    """A membership, and the worker that it asks."""

    def __init__(self, *, shared: bool = True) -> None:
        self.clock = ManualClock()
        self.actions: list[str] = []
        self.response: Callable[[], bytes | None] = lambda: msgspec.json.encode(FleetMembers((OTHER, ANNOUNCED)))
        own = OwnRecord(ME, "0.0.0.0", 9901, shared)
        self.membership = FleetMembership(lambda: own, self._ask, self.clock.clock, lambda: 0.5)

    async def _ask(self, parameters: dict[str, str]) -> bytes | None:
        query = msgspec.json.decode(parameters["query"], type=FleetQuery)
        assert (query.record, query.host, query.port) == (ME, "0.0.0.0", 9901)
        self.actions.append(query.action)
        return self.response()


async def test_a_gateway_is_announced_every_few_seconds_until_it_leaves() -> None:
    fleet = Fleet()
    for _ in range(3):
        await fleet.membership.tick()
    assert fleet.actions == ["announce", "list"]
    fleet.clock.advance(ANNOUNCE_S)
    await fleet.membership.tick()
    assert fleet.actions == ["announce", "list", "announce"]
    fleet.clock.advance(REMEMBER_S + 1)
    await fleet.membership.tick()
    assert fleet.actions[3:] == ["announce", "list"]
    for _ in range(2):
        await fleet.membership.leave()
    fleet.clock.advance(ANNOUNCE_S)
    await fleet.membership.tick()
    assert fleet.actions[5:] == ["leave"]


async def test_members_are_this_gateway_and_the_others() -> None:
    fleet = Fleet()
    assert fleet.membership.own == ME
    here = msgspec.structs.replace(ME, admin="10.0.0.7:9901")
    assert await fleet.membership.members() == FleetMembers((here, OTHER))
    assert repr(fleet.membership) == "<FleetMembership 2 known>"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (None, NO_WORKER),
        (b'{"error": "nobody here knows that"}', NO_WORKER),
        (b'{"gateways":[],"stale":"away"}', "away"),
    ],
)
async def test_the_others_are_remembered_while_redis_is_away(response: bytes | None, reason: str) -> None:
    fleet = Fleet()
    await fleet.membership.members()
    fleet.response = lambda: response
    found = await fleet.membership.members()
    assert ([each.id for each in found.gateways], found.stale) == (["me", "other"], reason)


async def test_a_gateway_without_redis_is_alone() -> None:
    fleet = Fleet(shared=False)
    await fleet.membership.tick()
    await fleet.membership.leave()
    assert await fleet.membership.members() == FleetMembers((ME,))
    assert fleet.actions == []


@pytest.mark.parametrize(
    ("bound", "advertised", "expected"),
    [
        ("127.0.0.1:9901", None, Address("127.0.0.1", 9901)),
        ("[::]:9901", None, Address("::", 9901)),
        ("0.0.0.0:9901", Address("gw-1.example", 443), Address("gw-1.example", 443)),
    ],
)
def test_the_configuration_says_where_a_gateway_is_reached(
    bound: str, advertised: Address | None, expected: Address
) -> None:
    assert advertised_address(bound, advertised) == expected


async def test_a_record_that_redis_refuses_is_logged_once() -> None:
    fleet = Fleet()
    found: list[str] = []
    for stale in ("away", "ERR no", "ERR no", "", "NOPERM no"):
        fleet.response = partial(msgspec.json.encode, FleetMembers((), stale))
        fleet.clock.advance(2 * ANNOUNCE_S)
        with capture_logs() as lines:
            await fleet.membership.tick()
        found += [line["reason"] for line in lines]
    assert found == ["ERR no", "NOPERM no"]
