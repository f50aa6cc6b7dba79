"""admin/fleet_views.py: the gateways of the fleet, and what happened to a request at any of them."""

import json
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.admin.fleet_views import fleet_views
from gateway.fleet.membership import FleetMembership, OwnRecord
from gateway.fleet.record import FleetMembers, GatewayRecord
from tests.clocks import ManualClock
from tests.unit.fleet.test_peers import HEAD, peer

ID = "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"
ME = GatewayRecord("me", "here", "10.0.0.7:9901", "1.2", "abc", 1_800_000_000.5)


async def shown(
    path: str, *others: GatewayRecord, kept: list[dict[str, Any]] | None = None, stale: str = ""
) -> tuple[int, Any]:
    async def ask(_: dict[str, str]) -> bytes:
        return msgspec.json.encode(FleetMembers((ME, *others), stale))

    membership = FleetMembership(
        lambda: OwnRecord(ME, "10.0.0.7", 9901, shared=True), ask, ManualClock().clock, lambda: 0
    )
    await membership.members()
    if stale:
        membership._known = (ME, *others)
    view = fleet_views(membership, lambda request_id: (kept or []) if request_id == ID else [])
    reply = await view["/fleet" if path == "/fleet" else "/requests/"](make_mocked_request("GET", path))
    assert isinstance(reply, web.Response)
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


async def test_the_gateways_of_the_fleet_are_listed() -> None:
    other = msgspec.structs.replace(ME, id="other", age_s=1.5)
    status, page = await shown("/fleet", other)
    assert (status, [(each["id"], each["is_self"]) for each in page["gateways"]]) == (
        200,
        [("me", True), ("other", False)],
    )
    assert page["gateways"][1] == {
        "id": "other",
        "host": "here",
        "admin": "10.0.0.7:9901",
        "version": "1.2",
        "config_digest": "abc",
        "started_at": "2027-01-15T08:00:00.500Z",
        "age_s": 1.5,
        "is_self": False,
    }
    assert (await shown("/fleet", stale="away"))[1]["stale"] == "away"


async def test_a_request_is_looked_for_at_all_gateways() -> None:
    answer = HEAD + b'{"gateway":"other","records":[{"timestamp":"2","status":503}, 5]}'
    async with peer(answer) as (address, heads):
        other = msgspec.structs.replace(ME, id="other", admin=address)
        lost = msgspec.structs.replace(ME, id="lost", admin="")
        odd = msgspec.structs.replace(ME, id="odd", admin=address)
        status, page = await shown(
            f"/requests/{ID.upper()}", other, lost, odd, kept=[{"timestamp": "1", "status": 499}]
        )
    assert (status, page["request_id"], page["found"], page["gateways_asked"]) == (200, ID, True, 4)
    assert [(each["status"], each["gateway"]["id"]) for each in page["records"]] == [(499, "me"), (503, "other")]
    assert [(each["id"], each["reason"]) for each in page["not_answered"]] == [
        ("lost", "it has announced no address; admin.advertise can name one"),
        ("odd", "another gateway is at its address"),
    ]
    assert heads[0].startswith(f"GET /requests/{ID}?local=true ".encode())


async def test_a_gateway_that_is_asked_by_another_one_asks_nobody() -> None:
    lost = msgspec.structs.replace(ME, id="lost", admin="")
    assert await shown(f"/requests/{ID}?local=true", lost, kept=[{"status": 499}]) == (
        200,
        {"request_id": ID, "gateway": "me", "records": [{"status": 499}]},
    )


async def test_what_nobody_has_kept_is_not_found() -> None:
    async with peer(HEAD + b'{"gateway":"other","records":null}') as (address, _):
        status, page = await shown(
            f"/requests/{ID}", msgspec.structs.replace(ME, id="other", admin=address), stale="away"
        )
    assert (status, page["found"], page["records"], page["not_answered"], page["stale"]) == (200, False, [], [], "away")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/requests/", "that is not a requestId"),
        ("/requests/gw_test_secret", "that is not a requestId"),
        (f"/requests/{ID}/x", "that is not a requestId"),
        (f"/requests/{ID}?locale=true", "there is no parameter `locale` here; there is `local`"),
    ],
)
async def test_what_is_not_understood_is_refused(path: str, error: str) -> None:
    status, page = await shown(path)
    assert (status, page["error"][: len(error)]) == (400, error)
