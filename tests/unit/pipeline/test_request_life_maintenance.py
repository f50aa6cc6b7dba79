"""request_life.py: routes under maintenance."""

import pytest

from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from tests.in_memory_gateway import CLOCK, GOOD, answered, gateway
from tests.samples import exchange, route

NOW = CLOCK.wall()


@pytest.mark.parametrize("fields", [GOOD, []])
async def test_a_route_is_closed_to_everybody_with_its_own_words(fields: list[tuple[str, str]]) -> None:
    one = gateway(route(maintenance=MaintenanceNotice("Back at 9", 30)), route("/v1/open", id="other"))
    status, body, answer = await answered(one, exchange(fields))
    assert (status, body["data"]["message"], answer["Retry-After"]) == (503, "Back at 9", "30")
    assert not [name for name in answer if "RateLimit" in name]
    assert (await answered(one, exchange(GOOD, path="/v1/open")))[0] == 200
    assert (await answered(one, exchange(GOOD, path="/nowhere")))[0] == 404


async def test_it_ends_by_itself() -> None:
    assert (await answered(gateway(route(maintenance=MaintenanceNotice(until=NOW - 1))), exchange(GOOD)))[0] == 200
    assert (await answered(gateway(route(maintenance=MaintenanceNotice(until=NOW + 9))), exchange(GOOD)))[0] == 503


async def test_the_switch_closes_all_routes_at_once() -> None:
    switch = MaintenanceSwitch()
    one = gateway(route(), maintenance=switch)
    assert (await answered(one, exchange(GOOD)))[0] == 200
    switch.turn_on(MaintenanceNotice("Back soon"))
    status, body, _ = await answered(one, exchange(GOOD))
    assert (status, body["data"]["message"]) == (503, "Back soon")
    switch.turn_on(MaintenanceNotice(until=NOW - 1))
    assert (await answered(one, exchange(GOOD)))[0] == 200
    switch.turn_off()
    assert (await answered(one, exchange(GOOD)))[0] == 200
