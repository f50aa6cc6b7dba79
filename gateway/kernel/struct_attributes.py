"""Structs whose attributes are set often."""

from typing import TypeVar

import msgspec

S = TypeVar("S", bound=type[msgspec.Struct])


def set_as_slots(struct: S) -> S:
    """Let attributes of `struct` be set as those of a class with `__slots__` are, which costs a quarter. Return it.

    When an attribute is set, msgspec looks whether the object must be shown to the garbage collector from now on: it
    leaves out objects that hold numbers and texts alone. So a struct that is set as slots holds a list or another
    container from the start, or later only such as never refer back to it. The methods are set on the class that
    exists already, as msgspec replaces those in its body.
    """
    struct.__setattr__ = object.__setattr__  # type: ignore[method-assign]
    struct.__delattr__ = object.__delattr__  # type: ignore[method-assign]
    return struct
