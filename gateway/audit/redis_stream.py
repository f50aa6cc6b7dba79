"""The audit trail in Redis: a stream of bounded length, to which all gateways and commands add.

    <prefix>:1:{keys}:audit    stream    each entry has one field, `record`, as JSON

It has the hash tag of the keys: a change of keys is recorded in the transaction that makes it, in a Cluster, too.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import redis
from msgspec import MsgspecError

from gateway.audit.query import AuditQuery
from gateway.audit.records import AuditRecord, decode_record, encode_record
from gateway.redis_client.address import RedisConnectionError, text_of
from gateway.redis_client.blocking_client import client_for

LENGTH = 10_000
"""The records that are kept, and up to some hundred more: Redis removes them by the block."""
BATCH = 500
_FIELD = b"record"


def stream_of(key_prefix: str) -> str:
    """Return the name of the stream."""
    return f"{key_prefix}:1:{{keys}}:audit"


def add_record(client: Any, key_prefix: str, record: AuditRecord) -> None:
    """Add a record, by a client or by a pipeline of redis-py."""
    client.xadd(stream_of(key_prefix), {_FIELD: encode_record(record)}, maxlen=LENGTH, approximate=True)


def write_records(url: str, key_prefix: str, records: Iterable[AuditRecord]) -> None:
    """Add records. Blocks for some seconds at most. Raises RedisConnectionError."""
    with _Connected(url, key_prefix) as client:
        pipe = client.pipeline(transaction=False)
        for record in records:
            add_record(pipe, key_prefix, record)
        pipe.execute()


def read_records(url: str, key_prefix: str, query: AuditQuery) -> list[AuditRecord]:
    """Return what is asked for, the newest first. Blocks for some seconds at most. Raises RedisConnectionError."""
    found: dict[str, AuditRecord] = {}  # a record whose reply was lost may be there twice
    with _Connected(url, key_prefix) as client:
        for record in query.selected(_newest_first(client, stream_of(key_prefix), query.since_s)):
            found.setdefault(record.id, record)
            if len(found) == query.limit:
                break
    return list(found.values())


def _newest_first(client: redis.Redis, stream: str, since_s: float | None) -> Iterator[AuditRecord]:
    """Yield the records that were added at `since_s` or later."""
    oldest = "-" if since_s is None else f"{max(0, int(since_s * 1000))}-0"
    newest = "+"
    while True:
        entries: Any = client.xrevrange(stream, newest, oldest, count=BATCH)
        for _, fields in entries:
            try:
                yield decode_record(fields.get(_FIELD, b""))
            except (MsgspecError, UnicodeDecodeError, RecursionError):
                continue  # of a newer release
        if len(entries) < BATCH:
            return
        newest = f"({entries[-1][0].decode()}"


class _Connected:
    """A client of the server that has the stream; its errors become RedisConnectionError."""

    def __init__(self, url: str, key_prefix: str) -> None:
        self._client = client_for(url, stream_of(key_prefix))

    def __enter__(self) -> redis.Redis:
        return self._client

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._client.close()
        if isinstance(error, redis.RedisError | OSError):
            raise RedisConnectionError(text_of(error)) from None
