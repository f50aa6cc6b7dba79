"""The records of all gateways in Redis: each refreshes its own, and one that is not refreshed expires.

Both keys have one hash tag, so that a Cluster keeps them together. There are at most MOST_GATEWAYS records.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, cast

import msgspec

from gateway.fleet.record import GatewayRecord
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisCall
from gateway.redis_client.connection import pack, sha_of

SCRIPT = files("gateway.fleet").joinpath("fleet.lua").read_bytes()
_SHA = sha_of(SCRIPT)
ALIVE_S = 15.0
"""A record counts for so long after it was last refreshed: three refreshments may come late or get lost."""
MOST_GATEWAYS = 2048
LONGEST_RECORD_BYTES = 1024
VERSION = 1
_NO_TIME_S = 1e11
"""No gateway is started so late, in the year 5138."""
TAG = "fleet"
_decode = msgspec.json.Decoder(GatewayRecord).decode


class FleetRegistry:
    """The records under `key_prefix`. `call` is that of a RedisStore with SCRIPT.

    All methods raise RedisConnectionError, also for commands that the user of Redis may not use.
    """

    def __init__(self, call: RedisCall, key_prefix: str) -> None:
        self._call = call
        self._keys = [f"{key_prefix}:{VERSION}:{{{TAG}}}:{name}".encode() for name in ("seen", "records")]

    async def announce(self, record: GatewayRecord) -> None:
        """Write or refresh a record."""
        await self._do(b"announce", record.id.encode(), msgspec.json.encode(record))

    async def leave(self, gateway_id: str) -> None:
        """Remove a record, so that the others know at once that this gateway has ended."""
        await self._do(b"leave", gateway_id.encode())

    async def members(self) -> list[GatewayRecord]:
        """Return all records that count, by host and id."""
        _, now, seen, records = await self._do(b"list")
        ages = {name: max(0.0, (float(now) - float(at)) / 1000) for name, at in _pairs(seen)}
        found = [
            msgspec.structs.replace(record, age_s=round(ages[name], 3))
            for name, content in _pairs(records)
            if name in ages and (record := _record(content)) is not None
        ]
        return sorted(found, key=lambda record: (record.host, record.id))

    async def _do(self, what: bytes, *arguments: bytes) -> list[Any]:
        command = (b"EVALSHA", _SHA, b"2", *self._keys, what, b"%d" % round(ALIVE_S * 1000), b"%d" % MOST_GATEWAYS)
        reply = await self._call(pack(*command, *arguments), TAG)
        if not isinstance(reply, list):
            raise RedisConnectionError(str(reply))  # a new one: replies are shared, and would gather tracebacks
        if reply[0] != 1:
            raise RedisConnectionError(cast("bytes", reply[1]).decode(errors="replace"))
        return reply


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _record(content: bytes) -> GatewayRecord | None:
    """Return a record, None for what no gateway of this release has written."""
    try:
        record = None if len(content) > LONGEST_RECORD_BYTES else _decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return record if record is not None and 0 <= record.started_at < _NO_TIME_S else None
