"""admin/maintenance_views.py: maintenance of all routes, shown and switched."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gateway.admin.listener import AdminListener
from gateway.admin.maintenance_views import maintenance_change, maintenance_view
from gateway.audit.query import AuditQuery
from gateway.audit.trail import AuditTrail
from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.observe.node_metrics import NodeMetrics
from gateway.upstream.maintenance_switch import MaintenanceSwitch
from tests.audited import trail_in_memory

SWITCH = "/maintenance/switch"


class Admin:
    """An admin listener with these two pages."""

    def __init__(self, session: aiohttp.ClientSession, switch: MaintenanceSwitch, trail: AuditTrail) -> None:
        self._session = session
        self.trail = trail
        self.switch = switch

    async def ask(self, method: str, path: str, token: str = "sesame", **parameters: str) -> tuple[int, Any]:
        fields = {"Authorization": f"Bearer {token}"}
        async with self._session.request(method, path, headers=fields, params=parameters) as reply:
            return reply.status, await reply.json()


@pytest_asyncio.fixture
async def admin() -> AsyncIterator[Admin]:
    switch, trail = MaintenanceSwitch(), trail_in_memory()
    listener = AdminListener("127.0.0.1:0", NodeMetrics(), lambda: (True, []), "sesame")
    listener.views["/maintenance"] = maintenance_view(switch)
    listener.changes[SWITCH] = maintenance_change(switch, trail)
    await listener.start()
    async with aiohttp.ClientSession(f"http://{listener.address}") as session:
        yield Admin(session, switch, trail)
    await listener.close()


async def test_it_is_switched_on_and_off(admin: Admin) -> None:
    assert await admin.ask("GET", "/maintenance") == (200, {"maintenance": "off"})
    assert (await admin.ask("POST", SWITCH))[1] == {"maintenance": "on", "message": "Under maintenance"}
    state = {
        "maintenance": "on",
        "message": "Back soon",
        "retry_after_s": 300,
        "until": "2027-01-15T08:00:00.000Z",
    }
    change = {"message": "Back soon", "retry_after": "5m", "until": "2027-01-15T08:00:00Z"}
    assert await admin.ask("POST", SWITCH, **change) == (200, state)
    assert await admin.ask("GET", "/maintenance") == (200, state)
    assert admin.switch.notice() == MaintenanceNotice("Back soon", 300, 1_800_000_000.0)
    assert await admin.ask("POST", SWITCH, off="") == (200, {"maintenance": "off"})
    off, on, _ = admin.trail.remembered(AuditQuery())
    assert (off.who, off.action, off.object) == ("admin.token", "maintenance.switch", "maintenance")
    assert (off.before, off.after) == (state, {"maintenance": "off"})
    assert on.after == state


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"message": ""}, "a message of 1 to 256 characters is wanted"),
        ({"message": "x" * 257}, "a message of 1 to 256 characters is wanted"),
        ({"retry_after": "5"}, "a duration needs its unit"),
        ({"until": "tomorrow"}, "`tomorrow` is not a date and time"),
    ],
)
async def test_what_is_refused(admin: Admin, parameters: dict[str, str], error: str) -> None:
    status, body = await admin.ask("POST", SWITCH, **parameters)
    assert status == 400
    assert body["error"].startswith(error)
    assert admin.trail.remembered(AuditQuery()) == []
    assert admin.switch.notice() is None


async def test_only_with_the_token(admin: Admin) -> None:
    assert (await admin.ask("POST", SWITCH, token="guess"))[0] == 401
    assert admin.switch.notice() is None
