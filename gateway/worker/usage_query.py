"""Answers the question for usage in a worker: the supervisor itself has no connection to Redis."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from gateway.accounting.query import usage_query
from gateway.accounting.statement import TooManyRowsError, UsageStatement, read_statement
from gateway.redis_client.address import RedisConnectionError
from gateway.settings import Config
from gateway.worker.query_server import QueryHandler, QueryParameters

MOST_DAYS = 31
"""Days in one answer; `gateway usage` reads more."""
MOST_ROWS = 20_000
"""Rows in one answer, some 1 KB each: a worker needs its memory for requests."""
MOST_WAITING = 16
"""Questions that are answered one after the other."""
_TOO_MANY_ROWS = (
    f"the answer has more than {MOST_ROWS} rows: ask for fewer days, or read them with gateway usage -c FILE"
)


def usage_handler(config: Config, wall: Callable[[], float]) -> QueryHandler:
    """Report usage, one question after another, in a thread and over a connection of its own."""
    one_at_a_time = asyncio.Lock()
    waiting = 0

    async def usage(parameters: QueryParameters) -> tuple[int, object]:
        nonlocal waiting
        redis = config.redis
        if redis is None or config.observability.usage is None:
            return 404, {"error": "no usage is counted: the configuration has no observability.usage"}
        try:
            query = usage_query(parameters, datetime.fromtimestamp(wall(), UTC).date(), MOST_DAYS)
        except ValueError as error:
            return 400, {"error": str(error)}
        if waiting >= MOST_WAITING:
            return 503, {"error": "too many ask for usage already"}
        waiting += 1
        try:
            async with one_at_a_time:
                found: UsageStatement = await asyncio.to_thread(
                    read_statement, redis.login_url(), redis.key_prefix, query, MOST_ROWS
                )
        except RedisConnectionError as error:
            return 503, {"error": f"Redis: {error}"}
        except TooManyRowsError:
            return 400, {"error": _TOO_MANY_ROWS}
        finally:
            waiting -= 1
        return 200, found

    return usage
