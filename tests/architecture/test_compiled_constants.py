"""Constants of modules that deploy/compile.py compiles are declared Final: mypyc reads them without a look-up."""

from tests.architecture.test_compiled_structs import COMPILER

CONSTANTS = """
import re

_A = 1
B: dict[str, int] = {}
_c = re.compile(
    "c",
)
D = 1
D = 2
_E, _F = 1, 2
T = TypeVar("T")
Either = int | str
_g: int
_H = 1


def change() -> None:
    global _H
    _H = 2
"""


def test_what_gets_its_only_value_in_the_module_is_final() -> None:
    written = COMPILER.written_out(CONSTANTS).splitlines()
    assert written[3:7] == [
        "_A: typing.Final = 1",
        "B: typing.Final[dict[str, int]] = {}",
        "_c: typing.Final = re.compile(",
        '    "c",',
    ]
    assert written[7:] == CONSTANTS.splitlines()[7:]
