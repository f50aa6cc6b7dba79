"""Answers the question for usage in a worker: the supervisor itself has no connection to Redis."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from gateway.accounting.query import usage_query
from gateway.accounting.statement import UsageStatement, read_statement
from gateway.redis_client.address import RedisConnectionError
from gateway.settings import Config
from gateway.worker.query_server import QueryHandler, QueryParameters

MOST_DAYS = 31
"""Days in one answer; `gateway usage` reads more."""


def usage_handler(config: Config, wall: Callable[[], float]) -> QueryHandler:
    """Report usage, one question after another, in a thread and over a connection of its own."""
    one_at_a_time = asyncio.Lock()

    async def usage(parameters: QueryParameters) -> tuple[int, object]:
        redis = config.redis
        if redis is None or config.observability.usage is None:
            return 404, {"error": "no usage is counted: the configuration has no observability.usage"}
        try:
            query = usage_query(parameters, datetime.fromtimestamp(wall(), UTC).date(), MOST_DAYS)
        except ValueError as error:
            return 400, {"error": str(error)}
        loop = asyncio.get_running_loop()
        async with one_at_a_time:
            try:
                found: UsageStatement = await loop.run_in_executor(
                    None, read_statement, redis.login_url(), redis.key_prefix, query
                )
            except RedisConnectionError as error:
                return 503, {"error": f"Redis: {error}"}
        return 200, found

    return usage
