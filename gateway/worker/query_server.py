"""Where a worker answers what its supervisor asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec
import structlog

from gateway.worker.channel import Ask, Channel, Told

About: TypeAlias = Mapping[str, str]
QueryHandler: TypeAlias = Callable[[About], Awaitable[tuple[int, object]]]
"""Finds the answer to one kind of question: a status as in HTTP, and what is to be told as JSON."""


class QueryServer:
    """`query_handlers` by the question that each answers."""

    def __init__(self, channel: Channel, query_handlers: Mapping[str, QueryHandler]) -> None:
        self._channel = channel
        self._query_handlers = query_handlers
        self._answering: set[asyncio.Task[None]] = set()

    def take(self, ask: Ask) -> None:
        """Begin to answer; the answer goes out on the channel."""
        task = asyncio.get_running_loop().create_task(self._answer(ask), name=f"answer {ask.question}")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, ask: Ask) -> None:
        query_handler = self._query_handlers.get(ask.question)
        try:
            status, told = await query_handler(ask.about) if query_handler is not None else (404, {"error": "nobody here knows that"})
        except Exception as bug:  # whoever asked waits for an answer
            structlog.get_logger().error("bug", question=ask.question, exc_info=bug)
            status, told = 500, {"error": "internal error"}
        self._channel.send_file(Told(ask.number, status), msgspec.json.encode(told))
