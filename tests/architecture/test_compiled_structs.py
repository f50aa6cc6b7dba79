"""The structs of modules that deploy/compile.py compiles are written out as classes, which msgspec cannot decode to."""

import importlib.util
from types import ModuleType

import pytest

from tests.architecture.files import ROOT


def _compiler() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compile_gateway", ROOT / "deploy/compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMPILER = _compiler()
STRUCT = '''from typing import Any

import msgspec


class Point(msgspec.Struct{options}):
    """A point.

    It has two coordinates,
    which are numbers.
    """

    x: int
    y: int = 0


one = Point(1)
'''


@pytest.mark.parametrize("module", COMPILER.MODULES)
def test_none_stays_a_struct(module: str) -> None:
    source = (ROOT / f"gateway/{module.replace('.', '/')}.py").read_text()
    written = COMPILER.written_out(source)
    assert "(msgspec.Struct" not in written
    assert "json.Decoder(" not in written
    assert written.count("\n") == source.count("\n")


def test_a_struct_with_options_of_the_encoder_is_refused() -> None:
    written = COMPILER.written_out(STRUCT.format(options=", frozen=True"))
    assert "def __init__(self, x: int, y: int = 0) -> None: self.x = x; self.y = y" in written
    with pytest.raises(ValueError, match="belongs in a module that is not compiled"):
        COMPILER.written_out(STRUCT.format(options=', rename="camel"'))
