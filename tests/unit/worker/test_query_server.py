"""worker/query_server.py: a worker answers its supervisor, whatever it is asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.worker.channel import Channel, Message, Query, QueryResult, content_of
from gateway.worker.query_server import QueryParameters, QueryServer
from tests.fakes import until


class Asker:
    """The supervisor's end: `responses` are the answers by number."""

    def __init__(self, channel: Channel) -> None:
        self.responses: dict[int, tuple[int, Any]] = {}
        channel.start(self._on_message, lambda: None)

    def _on_message(self, message: Message, fds: list[int]) -> None:
        assert isinstance(message, QueryResult)
        self.responses[message.number] = (message.status, json.loads(content_of(*fds)))


@pytest.fixture
async def channels() -> AsyncIterator[tuple[Channel, Channel]]:
    ours, theirs = map(Channel, Channel.pair())
    yield ours, theirs
    ours.close()
    theirs.close()


async def test_each_query_has_its_handler_and_each_response_its_number(channels: tuple[Channel, Channel]) -> None:
    patience = asyncio.Event()

    async def slow(parameters: QueryParameters) -> tuple[int, object]:
        await patience.wait()
        return 200, {"about": parameters}

    async def quick(_: QueryParameters) -> tuple[int, object]:
        return 404, {"error": "no"}

    async def broken(_: QueryParameters) -> tuple[int, object]:
        raise RuntimeError("a bug")

    asker, server = Asker(channels[0]), QueryServer(channels[1], {"slow": slow, "quick": quick, "broken": broken})
    with capture_logs() as logged:
        for number, question in enumerate(("slow", "quick", "broken", "unknown")):
            server.start(Query(number, question, {"key": "a"}))
        await until(lambda: len(asker.responses) == 3)
    assert asker.responses == {
        1: (404, {"error": "no"}),
        2: (500, {"error": "internal error"}),
        3: (404, {"error": "nobody here knows that"}),
    }
    assert [(line["event"], line["question"]) for line in logged] == [("bug", "broken")]
    patience.set()
    await until(lambda: 0 in asker.responses)
    assert asker.responses[0] == (200, {"about": {"key": "a"}})
