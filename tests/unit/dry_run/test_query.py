"""dry_run/query.py: a running gateway explains a request, and does not tell whether something is a key."""

from typing import Any

import msgspec
import pytest

from gateway.dry_run.query import explain_query
from gateway.dry_run.request import DryRequest
from gateway.dry_run.run import compiled
from gateway.kernel.faults import KEYS_UNAVAILABLE, GatewayError
from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.table import Key
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from tests.clocks import ManualClock
from tests.dry_runs import CONFIG, SECRET


async def asked(
    limiter: LocalLimiter | None = None,
    switch: MaintenanceSwitch | None = None,
    *,
    away: bool = False,
    **request: Any,
) -> tuple[int, Any]:
    clock = ManualClock().clock
    parts = compiled(CONFIG, clock)

    async def fails(_: str) -> Key | None:
        raise GatewayError(KEYS_UNAVAILABLE)

    query = explain_query(
        parts._replace(named=fails) if away else parts, limiter or LocalLimiter(clock), clock, None, switch
    )
    dry = DryRequest(**{"method": "GET", "target": "/v1/pets/7", "key_id": "acme-ci", **request})
    status, found = await query({"request": msgspec.json.encode(dry).decode()})
    return status, msgspec.to_builtins(found)


async def test_it_knows_what_is_left() -> None:
    limiter = LocalLimiter(ManualClock().clock)
    status, found = await asked(limiter)
    left = {each["id"]: each["remaining"] for each in found["charge"]["limits"]}
    assert (status, found["route"]["id"], left) == (200, "pets.item", {"minute": 298, "route/pets.item/second": 1})
    assert (await asked(limiter))[1]["charge"] == found["charge"]


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": (("x-api-key", SECRET),)},
        {"target": f"/v1/pets?X-Api-Key={SECRET}"},
        {"target": "/v1/pets?X-Api-Key=guessed", "key_id": ""},
    ],
)
async def test_a_secret_is_not_looked_up(request_: dict[str, Any]) -> None:
    status, found = await asked(**request_)
    assert (status, list(found)) == (400, ["error"])
    assert SECRET not in found["error"]


async def test_what_cannot_be_explained_says_why() -> None:
    assert await asked(key_id="x") == (404, {"error": "there is no key of this id"})
    assert await asked(away=True) == (503, {"error": KEYS_UNAVAILABLE.developer_message})


async def test_maintenance_of_the_node_is_known() -> None:
    switch = MaintenanceSwitch()
    switch.turn_on(MaintenanceNotice("Back soon.", 60, None))
    _, found = await asked(switch=switch)
    assert (found["outcome"]["status"], found["outcome"]["forwarded"]) == (503, False)
