"""An admin listener of its own for every test."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.admin.listener import AdminListener
from tests.unit.admin.asked import State


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
async def admin(state: State) -> AsyncIterator[AdminListener]:
    admin = AdminListener("127.0.0.1:0", state.node, state.readiness)
    await admin.start()
    yield admin
    await admin.close()


@pytest.fixture
async def client(admin: AdminListener) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://{admin.address}") as session:
        yield session
