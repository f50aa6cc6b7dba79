"""What the admin listener asks in tests, and who asks it without a client library."""

import asyncio
from urllib.parse import urlsplit

from gateway.admin.listener import AdminListener
from gateway.observe.metrics import Metrics
from gateway.observe.node_metrics import NodeMetrics


class State:
    """What the admin listener asks about."""

    def __init__(self) -> None:
        self.node = NodeMetrics()
        self.metrics = Metrics()
        self.node.add(self.metrics.region)
        self.reasons = ["starting"]

    def readiness(self) -> tuple[bool, list[str]]:
        return not self.reasons, self.reasons


async def raw(admin: AdminListener, request: bytes) -> bytes:
    url = urlsplit(f"//{admin.address}")
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()
