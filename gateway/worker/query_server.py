"""Answers the queries of the supervisor in a worker."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec
import structlog

from gateway.worker.channel import Channel, Query, QueryResult

QueryParameters: TypeAlias = Mapping[str, str]
QueryHandler: TypeAlias = Callable[[QueryParameters], Awaitable[tuple[int, object]]]
"""Answers one question: returns an HTTP status code, and a value that is sent as JSON."""


class QueryServer:
    """`query_handlers` are the handlers by the question that each of them answers."""

    def __init__(self, channel: Channel, query_handlers: Mapping[str, QueryHandler]) -> None:
        self._channel = channel
        self._query_handlers = query_handlers
        self._answering: set[asyncio.Task[None]] = set()

    def start(self, query: Query) -> None:
        """Start a task that answers `query` on the channel."""
        task = asyncio.get_running_loop().create_task(self._answer(query), name=f"answer {query.question}")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, query: Query) -> None:
        handler = self._query_handlers.get(query.question)
        try:
            status, body = (
                await handler(query.parameters) if handler is not None else (404, {"error": "nobody here knows that"})
            )
        except Exception as bug:  # the supervisor waits for a response
            structlog.get_logger().error("bug", question=query.question, exc_info=bug)
            status, body = 500, {"error": "internal error"}
        self._channel.send_file(QueryResult(query.number, status), msgspec.json.encode(body))
