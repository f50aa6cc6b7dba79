"""The records of an outage as bytes, in an OutageMemory or on their way to a successor.

Each record is MessagePack, after its length in 4 bytes. A later record replaces an earlier one of the same name.
Programs of other releases read them: a field is only ever added at the end, with a default.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from gateway.kernel.limits.token_bucket import Guarantee, Window
from gateway.limiter.fallback import Debt
from gateway.limiter.memory_quotas import Tally, Units


class GatewaysRecord(msgspec.Struct, tag="g", array_like=True):
    """How many gateways share Redis, and how many of them are workers of this program.

    `rest` says that the successors know all that happened before the records that follow.
    """

    count: int
    workers: int
    rest: bool


class DebtRecord(msgspec.Struct, array_like=True):
    """A Debt. `id`, `max`, `per_us` and `guarantee` are those of its window."""

    id: str
    max: int
    per_us: int
    guarantee: Guarantee
    tokens: int
    tat_us: int
    emission_us: int


class BucketRecord(msgspec.Struct, tag="b", array_like=True):
    """A bucket: when its share is full again and the price of a token, both 0 without a share; and what it is owed."""

    key: str
    tat_us: int
    emission_us: int
    debt: DebtRecord | None


class TallyRecord(msgspec.Struct, tag="t", array_like=True):
    """A meter that is a number, and its `max`."""

    key: str
    max: int
    tally: Tally


class UnitsRecord(msgspec.Struct, tag="u", array_like=True):
    """A meter that is a set of units, and its `max`."""

    key: str
    max: int
    units: Units


class LastRecord(msgspec.Struct, tag="k", array_like=True):
    """The last reply of Redis about a meter, and its month."""

    key: str
    used: int
    month: int


class OwedRecord(msgspec.Struct, tag="o", array_like=True):
    """A settlement that Redis has not taken, and the hash tag of its keys."""

    number: int
    command: bytes
    tag: str


class PaidRecord(msgspec.Struct, tag="p", array_like=True):
    """A settlement that Redis has taken meanwhile."""

    number: int


Record: TypeAlias = GatewaysRecord | BucketRecord | TallyRecord | UnitsRecord | LastRecord | OwedRecord | PaidRecord
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode
_SIZE_BYTES = 4


def encoded(records: Iterable[Record]) -> bytes:
    """Return the bytes of all records, in order."""
    return b"".join(map(_encoded, records))


def decoded(content: bytes) -> Iterator[Record]:
    """Yield the records of which `content` is made. Raises msgspec.MsgspecError."""
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + _SIZE_BYTES])
        at += _SIZE_BYTES + size
        yield _decode(content[at - size : at])


def name_of(record: Record) -> tuple[type, str | int]:
    """Return the name of a record: of two records with one name the later one counts."""
    if isinstance(record, OwedRecord | PaidRecord):
        return OwedRecord, record.number
    return type(record), "" if isinstance(record, GatewaysRecord) else record.key


def debt_record(debt: Debt) -> DebtRecord:
    """Return `debt` as a record."""
    window = debt.window
    return DebtRecord(
        window.id, window.max, window.per_us, window.guarantee, debt.tokens, debt.tat_us, debt.emission_us
    )


def debt_of(record: DebtRecord) -> Debt:
    """Return the Debt of a record."""
    window = Window(record.id, record.max, record.per_us, None, guarantee=record.guarantee)
    return Debt(window, record.tokens, record.tat_us, record.emission_us)


def _encoded(record: Record) -> bytes:
    content = _encode(record)
    return len(content).to_bytes(_SIZE_BYTES) + content
