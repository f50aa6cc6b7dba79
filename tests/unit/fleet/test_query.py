"""fleet/query.py: what a worker does for the fleet."""

from typing import Any

import msgspec
import pytest

from gateway.fleet.query import FleetAction, FleetQuery, fleet_query
from gateway.fleet.record import FleetMembers, GatewayRecord
from gateway.fleet.registry import FleetRegistry
from gateway.redis_client.connection import RedisReply
from gateway.redis_client.server import AWAY
from gateway.settings.schema.server import RedisSettings

ME = GatewayRecord("me", "h", "0.0.0.0:9901", "1.2", "abc", 1_800_000_000.5)


async def asked(action: FleetAction, reply: Any, url: str = "redis://127.0.0.1:6379/0") -> tuple[int, object, bytes]:
    """Status and response, and the command that Redis got."""
    sent: list[bytes] = []

    async def call(command: bytes, tag: str) -> RedisReply:
        sent.append(command)
        assert tag == "fleet"
        answer: RedisReply = reply
        return answer

    redis = RedisSettings.model_validate({"url": url})
    query = FleetQuery(action, ME, "0.0.0.0", 9901)
    handler = fleet_query(FleetRegistry(call, "gw"), redis)
    status, response = await handler({"query": msgspec.json.encode(query).decode()})
    return status, response, sent[0]


@pytest.mark.parametrize(
    ("url", "admin"), [("redis://127.0.0.1:6379/0", b'"127.0.0.1:9901"'), ("unix:///run/r", b'""')]
)
async def test_a_gateway_announces_the_address_from_which_redis_is_asked(url: str, admin: bytes) -> None:
    status, response, command = await asked("announce", [1], url)
    assert (status, response) == (200, FleetMembers(()))
    assert b'"admin":' + admin in command


async def test_a_gateway_leaves() -> None:
    status, _, command = await asked("leave", [1])
    assert status == 200
    assert command.endswith(b"$5\r\nleave\r\n$5\r\n15000\r\n$4\r\n2048\r\n$2\r\nme\r\n")


async def test_members_are_listed() -> None:
    stored = msgspec.json.encode(ME)
    status, response, _ = await asked("list", [1, b"1500", [b"me", b"1000"], [b"me", stored]])
    assert (status, response) == (200, FleetMembers((msgspec.structs.replace(ME, age_s=0.5),)))


async def test_a_redis_that_is_away_is_reported() -> None:
    assert (await asked("list", AWAY))[:2] == (503, FleetMembers((), "away"))
