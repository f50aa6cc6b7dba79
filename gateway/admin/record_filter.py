"""Chooses among records of exchanges, as operators ask for them: the recent errors, and access lines.

?code=8000&key=acme-ci&route=orders&status=5xx&source=gateway
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

FieldOf: TypeAlias = Callable[[str], object]
"""Returns the value of a record's field by its name, None for a field that the record lacks."""
_Test: TypeAlias = Callable[[object], bool]

LONGEST_VALUE = 200
_STATUS = re.compile("[1-5](?:[0-9]{2}|xx)")
_CODE = re.compile("[0-9]{1,10}")
_REQUEST_ID = re.compile("[0-9a-fA-F-]{1,64}")
_SOURCES = ("gateway", "upstream")

FIELDS = {
    "request_id": "request_id",
    "code": "code",
    "status": "status",
    "key": "key_id",
    "organization": "organization",
    "route": "route",
    "source": "source",
    "reason": "reason",
}
"""The field of a record for each parameter."""


class RecordFilter:
    """Records pass that have all the values that are asked for."""

    def __init__(self, tests: Mapping[str, _Test]) -> None:
        self._tests = tuple(tests.items())

    def passes(self, field: FieldOf) -> bool:
        return all(test(field(name)) for name, test in self._tests)

    @classmethod
    def parse(cls, parameters: Mapping[str, str], others: tuple[str, ...] = ()) -> "RecordFilter":
        """Return the filter of query parameters. `others` are those that are none of its business.

        Raises ValueError with a text that says what to write.
        """
        known = [*FIELDS, *others]
        tests: dict[str, _Test] = {}
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(f"there is no filter `{name[:LONGEST_VALUE]}`; there are {', '.join(sorted(known))}")
            if name in FIELDS:
                tests[FIELDS[name]] = _test(name, value)
        return cls(tests)


def _test(name: str, value: str) -> _Test:
    if name == "status":
        return _status(value.lower())
    if name == "code":
        if not _CODE.fullmatch(value):
            raise ValueError("`code` is a number such as 8000")
        return _equal(int(value))
    if name == "source" and value not in _SOURCES:
        raise ValueError(f"`source` is {' or '.join(_SOURCES)}: who has made the reply")
    if name == "request_id":
        if not _REQUEST_ID.fullmatch(value):
            raise ValueError("`request_id` is the requestId of a reply")
        return _equal(value.lower())
    if not 0 < len(value) <= LONGEST_VALUE:
        raise ValueError(f"`{name}` has 1 to {LONGEST_VALUE} characters")
    return _equal(value)


def _equal(wanted: Any) -> _Test:
    return lambda value: bool(value == wanted)


def _status(wanted: str) -> _Test:
    if not _STATUS.fullmatch(wanted):
        raise ValueError("`status` is one such as 429, or a class of them such as 5xx")
    if wanted.endswith("xx"):
        first = int(wanted[0])
        return lambda value: isinstance(value, int) and value // 100 == first
    return _equal(int(wanted))
