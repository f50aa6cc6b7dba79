"""The structs of modules that deploy/compile.py compiles are written out as classes, which msgspec cannot decode to.

Such a class does what the struct does. What mypyc would compile to something else is refused.
"""

import copy
import importlib.util
from types import ModuleType
from typing import Any

import pytest

from gateway.kernel.copies import replace
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


EVERYTHING = '''
import asyncio
from typing import ClassVar

import msgspec
from msgspec.structs import force_setattr

from gateway.kernel.struct_attributes import set_as_slots


class Open(msgspec.Struct):
    """One that may be changed.

    It has a default of each kind.
    """

    a: int
    b: str | None = None
    c: list[int] = []
    d: dict[str, int] = {}
    e: set[int] = msgspec.field(
        default_factory=set,
    )
    f: float = 0.5
    kind: ClassVar[str] = "open"


class Frozen(msgspec.Struct, frozen=True):
    """One that is made by its `__post_init__`, too.

    It has room for all methods.
    """

    a: int
    b: tuple[int, ...] = ()
    made: dict[str, int] = None

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("a")
        force_setattr(
            self, "made", {"a": self.a}
        )


class Pair(msgspec.Struct, frozen=True, cache_hash=True):
    """One that may be a key.

    It has room for all methods.
    """

    a: int
    b: tuple[int, ...]


class Same(msgspec.Struct, frozen=True, eq=False):
    """One that is compared by identity."""

    a: int


class Named(msgspec.Struct, kw_only=True, gc=False):
    """One whose fields have to be named.

    No garbage collector has to visit it.
    """

    a: int = 1
    b: int


class Waiter(msgspec.Struct, kw_only=True, eq=False):
    """The only struct that others are derived from."""

    value: int | None = None
    done: bool = False


@set_as_slots
class Wait(Waiter):
    """One that is derived from a struct.

    Its own fields come by position.
    """

    a: int
    b: int = 2


class Slots:
    """One with slots."""

    __slots__ = (
        "a",
    )

    def __init__(self) -> None:
        self.a = 1


class Connection(asyncio.Protocol):
    """A protocol by name only."""

    a = 1
'''


def _run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "everything", "mypyc_attr": lambda **_: lambda marked: marked}
    exec(compile(source, "everything.py", "exec"), names)
    return names


WRITTEN = COMPILER.written_out(EVERYTHING)
KINDS = [_run(EVERYTHING), _run(WRITTEN)]


@pytest.fixture(params=KINDS, ids=["struct", "written out"])
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The classes of EVERYTHING, either as they are or as they are compiled."""
    found: dict[str, Any] = request.param
    return found


def values(one: Any, *names: str) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in names)


def test_it_is_made_by_position_and_by_name(kind: dict[str, Any]) -> None:
    assert values(kind["Open"](1), *"abcdef") == (1, None, [], {}, set(), 0.5)
    assert values(kind["Open"](1, "x", [2], f=2.0), *"abcdef") == (1, "x", [2], {}, set(), 2.0)
    assert kind["Open"].kind == "open"
    one, other = kind["Open"](1), kind["Open"](1)
    one.c.append(1)
    one.d["a"] = 1
    one.e.add(1)
    assert values(other, *"cde") == ([], {}, set())
    for arguments, named in ((), {}), ((1,), {"g": 1}), ((1,), {"a": 1}), ((1, 2, 3, 4, 5, 6, 7), {}):
        with pytest.raises(TypeError):
            kind["Open"](*arguments, **named)


def test_fields_may_have_to_be_named(kind: dict[str, Any]) -> None:
    assert values(kind["Named"](b=2), "a", "b") == (1, 2)
    for arguments, named in ((1, 2), {}), ((), {"a": 1}):
        with pytest.raises(TypeError):
            kind["Named"](*arguments, **named)


def test_it_makes_what_follows_from_its_fields(kind: dict[str, Any]) -> None:
    assert kind["Frozen"](1).made == {"a": 1}
    assert replace(kind["Frozen"](1), a=2).made == {"a": 2}
    with pytest.raises(ValueError, match="a"):
        kind["Frozen"](-1)


def test_it_is_copied(kind: dict[str, Any]) -> None:
    one = kind["Open"](1, "x", [2])
    for other in copy.copy(one), replace(one):
        assert other is not one
        assert other.c is one.c
        assert values(other, *"abcdef") == values(one, *"abcdef")
    assert values(replace(one, a=3, b=None), *"abc") == (3, None, [2])
    assert values(replace(kind["Named"](b=2), a=3), "a", "b") == (3, 2)
    assert values(one, *"abc") == (1, "x", [2])
    with pytest.raises(TypeError):
        replace(one, g=1)


def test_it_is_compared_as_the_struct_says(kind: dict[str, Any]) -> None:
    for name in "Open", "Frozen":
        one, same, other = kind[name](1), kind[name](1), kind[name](2)
        assert one == same
        assert one != other
        assert one != 1
    assert hash(kind["Pair"](1, (2,))) == hash(kind["Pair"](1, (2,)))
    assert {kind["Same"](1): 1}.get(kind["Same"](1)) is None
    with pytest.raises(TypeError):
        hash(kind["Open"](1))
    with pytest.raises(TypeError):
        hash(kind["Frozen"](1))  # a dict is among its values


def test_one_that_is_derived_has_the_fields_of_its_base(kind: dict[str, Any]) -> None:
    one = kind["Wait"](1)
    assert values(one, "a", "b", "value", "done") == (1, 2, None, False)
    one.value = 3
    assert values(kind["Waiter"](done=True), "value", "done") == (None, True)
    assert one != kind["Wait"](1)
    assert {one: 1}[one] == 1


def test_no_line_gets_another_number() -> None:
    before, after = EVERYTHING.split("\n"), WRITTEN.split("\n")
    assert len(after) == len(before)
    for line in "        if self.a < 0:", '            raise ValueError("a")', "        self.a = 1", "    a = 1":
        assert after.index(line) == before.index(line)


def test_slots_and_the_name_of_a_protocol_go() -> None:
    assert "__slots__" not in WRITTEN
    assert "asyncio.Protocol" not in WRITTEN
    assert KINDS[1]["Slots"]().a == KINDS[1]["Connection"]().a == 1


@pytest.mark.parametrize("bound", ["a.index(b)", "f(1)", "1 + f(1)"])
def test_a_slice_whose_bound_does_something_is_refused(bound: str) -> None:
    for text in f"a[{bound}:]", f"a[: {bound}]":
        with pytest.raises(ValueError, match="line 2: give the result of"):
            COMPILER.written_out(f"import a\nc = {text}\n")
    for text in "a[len(b) :]", "a[: min(1, 2)]", "a[b.find(c) :]", f"a[{bound}]":
        COMPILER.written_out(f"import a\nc = {text}\n")


@pytest.mark.parametrize("clause", ["except OSError", "finally"])
def test_a_wait_while_an_error_is_handled_is_refused(clause: str) -> None:
    text = "import a\nasync def f():\n    try:\n        {}\n    {}:\n        {}\n    await g()\n"
    with pytest.raises(ValueError, match=r"line 6: wait for `await g\(\)` after the error was handled"):
        COMPILER.written_out(text.format("g()", clause, "await g()"))
    COMPILER.written_out(text.format("await g()", clause, "g()"))


def test_a_struct_without_room_for_its_methods_is_refused() -> None:
    with pytest.raises(ValueError, match="Small has no room"):
        COMPILER.written_out("import msgspec\n\n\nclass Small(msgspec.Struct):\n    a: int\n")


def test_a_constant_of_a_class_is_a_class_variable() -> None:
    text = "import a\n\n\nclass Some{base}:\n    {name} = 1\n"
    with pytest.raises(ValueError, match=r"Some\.MOST is not a ClassVar"):
        COMPILER.written_out(text.format(base="", name="MOST"))
    for base, name in ("", "MOST: ClassVar"), ("(Enum)", "MOST"), ("", "most"):
        written = COMPILER.written_out(text.format(base=base, name=name))
        assert written == text.format(base=base, name=name)
