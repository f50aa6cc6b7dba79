"""What the audit trail says about a change.

A record is bounded and has no secrets: values whose names are those of secrets are masked, and so is what looks like a
password or a token in a text, and every key of the form that is made here, as somebody may take one for its id.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import msgspec

from gateway.kernel.key_format import without_keys
from gateway.observe.redact import redactor

MOST_TEXT = 256
"""Characters of a text in a record."""
MOST_VALUE_BYTES = 8 * 1024
"""Bytes of `before` and of `after`, as JSON. What is longer is left out, and its length is said."""

AuditOutcome: TypeAlias = Literal["done", "refused"]


class Actor(msgspec.Struct, frozen=True):
    """Who makes a change: the name of a token, a user or a signal. `origin` is an address or the name of a host."""

    who: str
    origin: str


class AuditEntry(msgspec.Struct, frozen=True):
    """A change.

    `action` is what was done, such as `keys.update`, `object` the id or the name of what it was done to. `before` and
    `after` are what it was and became, as plain values for JSON; None for nothing.
    """

    actor: Actor
    action: str
    object: str
    before: Any = None
    after: Any = None
    outcome: AuditOutcome = "done"


class AuditRecord(msgspec.Struct, frozen=True, omit_defaults=True, rename={"origin": "from"}):
    """An entry with its id, its time in UTC (RFC 3339) and the host of the gateway; None for a command."""

    id: str
    at: str
    who: str
    origin: str
    action: str
    object: str
    outcome: AuditOutcome
    before: Any = None
    after: Any = None
    gateway: str | None = None


_clean = redactor()
_encode = msgspec.json.Encoder(enc_hook=str).encode
decode_record = msgspec.json.Decoder(AuditRecord).decode


def record_of(entry: AuditEntry, record_id: str, at_s: float, gateway: str | None) -> AuditRecord:
    """Return the record of `entry`, without secrets and within its bounds. `at_s` is Unix time."""
    return AuditRecord(
        record_id,
        datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        _text(entry.actor.who),
        _text(entry.actor.origin),
        _text(entry.action),
        _text(entry.object),
        entry.outcome,
        _value(entry.before),
        _value(entry.after),
        gateway,
    )


def encode_record(record: AuditRecord) -> bytes:
    return _encode(record)


def differing(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the members of both that are not the same in the other one; None for a member that one lacks."""
    names = [name for name in (before | after) if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def some_of(names: Iterable[str], most: int) -> list[str]:
    """Return the first `most` of `names`, sorted, and how many more there are, for a record of many."""
    found = sorted(names)
    return found if len(found) <= most else [*found[:most], f"and {len(found) - most} more"]


def _text(text: str) -> str:
    return without_keys("".join(each if each.isprintable() else "?" for each in text))[:MOST_TEXT]


def _value(value: Any) -> Any:
    if value is None:
        return None
    plain = _clean(None, "", {"value": value})["value"]
    encoded = _encode(plain)
    if len(encoded) > MOST_VALUE_BYTES:
        return {"omitted_bytes": len(encoded)}
    return msgspec.json.decode(without_keys(encoded.decode()))
