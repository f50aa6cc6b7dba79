"""Reads from a reply how much a call used, for quotas that are sums."""

import re

from gateway.kernel.envelope.raw_json import members
from gateway.kernel.limits.quota import MOST, AmountSource

_WHOLE = re.compile(rb"[0-9]{1,16}")


def amount_in_header(fields: list[tuple[bytes, bytes]], amount: AmountSource) -> int | None:
    """Return an amount from 0 to MOST; None when the field is missing, given twice, or no such number.

    `fields` have lower-case names.
    """
    values = [value for name, value in fields if name == amount.header]
    return _whole(values[0]) if len(values) == 1 else None


def amount_in_body(body: bytes, amount: AmountSource) -> int | None:
    """Return the amount in `body`, a number without sign, fraction and exponent; None if missing.

    `body` may not be JSON.
    """
    for name in amount.field:
        found = members(body)
        if found is None or name not in found:
            return None
        body = found[name]
    return _whole(body)


def _whole(text: bytes) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) and int(text) <= MOST else None
