"""Classes that deploy/compile.py compiles have the attributes that are read for each request before the others."""

import re

import pytest

from tests.architecture.test_compiled_structs import COMPILER

STRUCT = '''
import msgspec


class Claim(msgspec.Struct, frozen=True, eq=False):
    """Somebody.

    There are many.
    """

    keys: str
    cost: (
        str | None
    ) = None
    tag: str = ""
    text: str = ""
    alone: bytes = b""
    alone_us: int = 0
    bucket: object = None
    command: object = None


class Other(msgspec.Struct, frozen=True, eq=False):
    """Somebody else.

    There are few.
    """

    keys: str
    tag: str
'''


def test_they_come_first_and_no_line_gets_another_number() -> None:
    written = COMPILER.written_out(STRUCT)
    first = list(COMPILER.FIRST["Claim"])
    assert re.findall(r"^    (\w+): ", written, re.MULTILINE) == [*first, "keys", "cost", "keys", "tag"]
    assert len(written.splitlines()) == len(STRUCT.splitlines())
    assert "def __init__(self, keys: str, cost: str | None = None, tag: str = ''," in written


def test_a_name_that_no_field_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="FIRST names what is no field: command"):
        COMPILER.written_out(STRUCT.replace("command", "request"))
