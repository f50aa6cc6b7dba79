"""limiter/outage_records.py: the bytes of what is known while Redis is away, which other releases read."""

import msgspec
import pytest

from gateway.kernel.limits.token_bucket import Window
from gateway.limiter.fallback import Debt
from gateway.limiter.memory_quotas import Tally, Units
from gateway.limiter.outage_records import (
    BucketRecord,
    GatewaysRecord,
    LastRecord,
    OwedRecord,
    PaidRecord,
    Record,
    TallyRecord,
    UnitsRecord,
    debt_of,
    debt_record,
    decoded,
    encoded,
    name_of,
)

DEBT = Debt(Window("hour", 24, 3_600_000_000, None, guarantee="any-window"), 3, 2_000_000, 1000)
ALL: list[Record] = [
    GatewaysRecord(3, 2, rest=False),
    BucketRecord("{a}:hour", 5, 6, debt_record(DEBT)),
    BucketRecord("{b}:hour", 5, 6, None),
    TallyRecord("{a}:count", 9, Tally(4, 24_000)),
    UnitsRecord("{a}:level", 9, Units({"u": 1.5}, 2)),
    LastRecord("{a}:count", 4, 24_000),
    OwedRecord(7, b"command", "a"),
    PaidRecord(7),
]


def test_records_are_read_as_they_were_written() -> None:
    assert list(decoded(encoded(ALL))) == ALL
    assert list(decoded(b"")) == []


def test_the_format_is_that_of_other_releases() -> None:
    assert encoded(ALL[:1]) == b"\x00\x00\x00\x06\x94\xa1g\x03\x02\xc2"
    assert encoded(ALL[6:]) == b"\x00\x00\x00\x0f\x94\xa1o\x07\xc4\x07command\xa1a\x00\x00\x00\x04\x92\xa1p\x07"


def test_a_debt_survives() -> None:
    assert debt_of(debt_record(DEBT)) == DEBT


def test_records_of_one_name_replace_each_other() -> None:
    assert name_of(OwedRecord(7, b"", "a")) == name_of(PaidRecord(7)) != name_of(PaidRecord(8))
    assert name_of(BucketRecord("k", 0, 0, None)) != name_of(LastRecord("k", 0, 0))
    assert name_of(GatewaysRecord(1, 1, rest=False)) == name_of(GatewaysRecord(2, 1, rest=True))


def test_what_is_none_of_them_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        list(decoded(b"\0\0\0\2xx"))
