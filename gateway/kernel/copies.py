"""Copies of objects that are not changed once they are made."""

from typing import Any, TypeVar

T = TypeVar("T")


def replace(original: T, **values: Any) -> T:
    """Return a copy of a struct with other `values`: what `copy.replace` of Python 3.13 does.

    Serves structs of msgspec and the classes that `deploy/compile.py` makes of them.
    """
    return original.__replace__(**values)  # type: ignore[attr-defined, no-any-return]
