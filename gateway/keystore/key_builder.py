"""Builds the keys of a gateway from their entries in Redis, and logs each problem of an entry only once."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import structlog

from gateway.keystore.records import MOST_BYTES
from gateway.settings.checks.stored_keys import References, read_key
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.values import RefusedError
from gateway.table.keyring import Key

MAX_PROBLEMS = 1000
"""Problems of keys that were logged, and are not logged again."""
_LONGEST_ID = 128
_LONGEST_PROBLEM = 500

V = TypeVar("V")


class KeyBuilder:
    """Builds keys with `make`, where `references` has all that they refer to."""

    def __init__(self, references: References, make: Callable[[KeySettings], Key]) -> None:
        self._references = references
        self._make = make
        self._logged: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<KeyBuilder {len(self._logged)} problems>"

    def build(self, content: bytes) -> Key | None:
        """Return None for a key that this gateway does not understand, or that refers to what it does not have."""
        key_id = "?"
        try:
            if len(content) > MOST_BYTES:
                raise RefusedError(f"it is longer than {MOST_BYTES} bytes")
            fields = msgspec.json.decode(content, type=dict[str, object])
            key_id = str(fields.get("id"))[:_LONGEST_ID]
            setting = read_key(fields)
            problem = "; ".join(self._references.wrong(setting))
        except (RefusedError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = str(error)
        else:
            if not problem:
                return self._make(setting)
        problem = problem[:_LONGEST_PROBLEM]
        logged = f"{key_id}: {problem}"
        if logged not in self._logged:
            put_bounded(self._logged, logged, None, MAX_PROBLEMS)
            structlog.get_logger().error("key unusable", key_id=key_id, problem=problem)
        return None


def put_bounded(into: dict[str, V], name: str, value: V, most: int) -> None:
    """Put a value into a dictionary of at most `most`, whose oldest entry makes way for a new one."""
    if len(into) >= most and name not in into:
        del into[next(iter(into))]
    into[name] = value
