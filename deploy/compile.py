"""Compiles the modules that every request passes through to machine code, with mypyc.

    .venv/bin/python deploy/compile.py [--if-needed] [FOLDER]

FOLDER gets one shared library for all modules, a small one for each of them, and `sources.json`, which says what they
were made of: a gateway whose sources are others does not use them (see `gateway/system/compiled.py`, which looks in the
environment of the Python that runs where no FOLDER is given). Needs what `deploy/compile.lock` lists, a C compiler and
the headers of this Python.

mypyc lays out the attributes of classes by itself. It knows nothing of msgspec, so structs are written out as classes
with an `__init__` before. Each line of a module keeps its number: tracebacks name the lines of the sources.
"""

import argparse
import ast
import fcntl
import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway.system.compiled import LIBRARY, SOURCES, default_folder, modules_in  # noqa: E402  it is found there

MODULES = (
    "edge.connection_core",
    "edge.head_splitter",
    "edge.plain_request",
    "edge.request_body",
    "edge.request_head",
    "edge.response_head",
    "exchange",
    "history.activity",
    "history.measures",
    "kernel.clock",
    "kernel.envelope.adopt",
    "kernel.envelope.write",
    "kernel.http.request_fields",
    "kernel.http.response_headers",
    "kernel.http.status_rules",
    "kernel.ids",
    "kernel.limits.ratelimit_headers",
    "kernel.limits.token_bucket",
    "kernel.memo",
    "kernel.timestamp",
    "limiter.memory_limiter",
    "limiter.pending_decision",
    "limiter.redis_limiter",
    "net.coroutine_driver",
    "net.waiter",
    "net.write_batch",
    "observe.exchange_series",
    "observe.instruments",
    "observe.json_line",
    "observe.writer",
    "pipeline.other_answers",
    "pipeline.parts",
    "pipeline.request_life",
    "records.fields",
    "redis_client.connection",
    "redis_client.server",
    "stages.error_reply",
    "stages.identify",
    "stages.limit",
    "stages.normalize",
    "stages.prepare",
    "stages.record",
    "stages.response_headers",
    "stages.settle",
    "table.keyring",
    "table.route_table",
    "table.routes",
    "upstream.call",
    "upstream.connection_shares",
    "upstream.http1.connection",
    "upstream.http1.connection_socket",
    "upstream.http1.deadlines",
    "upstream.http1.framing",
    "upstream.http1.known_heads",
    "upstream.http1.pending_answer",
    "upstream.http1.uploading_socket",
    "upstream.maintenance_switch",
    "upstream.target",
)
"""What requests pass through, as modules of `gateway`."""
ATTRIBUTES = {
    "LocalLimiter": "allow_interpreted_subclasses=True",
    "Memo": "allow_interpreted_subclasses=True",
    "Recorder": "allow_interpreted_subclasses=True",
    "RouteTable": "allow_interpreted_subclasses=True",
}
"""What mypyc is told of classes (`mypyc_attr`)."""
FIRST = {
    "Caller": ("id", "organization", "bucket", "claim", "head", "several", "unrestricted"),
    "Claim": ("alone", "alone_us", "bucket", "text", "command", "tag"),
}
"""Attributes of classes that are laid out before others, side by side.

There are as many objects of these classes as keys, and each request waits for the memory of another one.
"""
_STRUCTS = {"msgspec.Struct", "Waiter"}
"""What structs that are written out are derived from."""
_OPTIONS = {"cache_hash", "eq", "frozen", "gc", "kw_only"}
"""Options of structs that are kept. The others are for msgspec's encoder, which takes no class that is written out."""
_PROTOCOL = "asyncio.Protocol"
"""A base that only says what a class is like."""
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*|_[a-z][a-z0-9_]*")
"""What names of constants are like. Names of types are not."""
_TYPE_MAKERS = ("TypeVar", "ParamSpec")
_HARMLESS_CALLS = ("len", "min", "max")
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup

modules = mypycify(["--config-file=mypy.ini", *{files!r}], opt_level="{level}", multi_file=True, group_name="{group}")
flags = ["-g0", "-fvisibility=hidden", "-fno-semantic-interposition", "-fno-plt"]
for module in modules:  # within the library no call has to be looked up
    module.extra_compile_args = [*module.extra_compile_args, *flags]  # not +=: they have one list
setup(name="gateway", packages=[], ext_modules=modules)
"""
_MYPY = """
[mypy]
ignore_missing_imports = True
# What struct and protocol were checked for in the sources.
disable_error_code = arg-type, type-var, attr-defined
"""


def main() -> None:
    """Compile `MODULES` into the folder of the command line."""
    parser = argparse.ArgumentParser(description="Compile what every request passes through.")
    parser.add_argument("folder", type=Path, nargs="?", default=default_folder(), metavar="FOLDER")
    parser.add_argument("--level", choices="0123", default="1", help="how much the C compiler optimises")
    parser.add_argument("--if-needed", action="store_true", help="not where FOLDER was made of what is here")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # what was started ends with it
    with Path(__file__).open() as script, tempfile.TemporaryDirectory() as temporary:
        fcntl.flock(script, fcntl.LOCK_EX)  # who comes second finds what the first has made
        if not (options.if_needed and is_made(folder)):
            work = Path(temporary)
            made_of = build(work, options.level)
            install(work, made_of, folder)


def is_made(folder: Path) -> bool:
    """Return whether the modules in `folder` were made of the sources that are here, by this script as it is."""
    return bool(modules_in(folder)) and (folder / SOURCES).stat().st_mtime > Path(__file__).stat().st_mtime


def build(work: Path, level: str) -> dict[str, str]:
    """Compile a copy of the sources in `work`. Return the SHA-256 of each module, as the copy has it.

    Raises SystemExit with what mypyc or the C compiler said.
    """
    shutil.copytree(ROOT / "gateway", work / "gateway", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    files = [f"gateway/{module.replace('.', '/')}.py" for module in MODULES]
    made_of = {
        ".".join(file.relative_to(work).with_suffix("").parts): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(work.rglob("*.py"))
    }
    for name in files:
        file = work / name
        file.write_text(written_out(file.read_text()))
    (work / "mypy.ini").write_text(_MYPY)
    (work / "setup.py").write_text(_SETUP.format(files=files, level=level, group=LIBRARY.removesuffix("__mypyc")))
    command = [sys.executable, "setup.py", "build_ext", "--inplace", "--parallel", "2"]
    made = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if made.returncode:
        raise SystemExit(f"{made.stdout[-5000:]}{made.stderr[-5000:]}\ndeploy/compile.py: it could not be compiled")
    return made_of


def install(work: Path, made_of: dict[str, str], folder: Path) -> None:
    """Replace `folder` by one with what was compiled in `work`. It is never there in part, whatever happens."""
    new, old = (folder.with_name(f".{folder.name}-{state}") for state in ("new", "old"))
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    for library in sorted(work.rglob("*.so")):
        place = library.relative_to(work)
        if place.parts[0] != "build":
            name = ".".join(place.with_name(place.name.partition(".")[0]).parts)
            shutil.copy(library, new / f"{name}.so")
    (new / SOURCES).write_text(json.dumps(made_of))
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def written_out(source: str) -> str:
    """Return the text of a module with its structs as classes that mypyc lays out. No line gets another number.

    Raises ValueError for what mypyc would compile to something else.
    """
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Slice):
            _check_bounds(node)
        elif isinstance(node, ast.Try):
            _check_waits(node)
        elif isinstance(node, ast.ClassDef):
            _write_class(node, lines)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "force_setattr":
            _write_assignment(node, lines)
    for node in _constants(tree):
        _write_constant(node, lines)
    _import_typing(tree, lines)
    return "".join(lines)


def _check_bounds(node: ast.Slice) -> None:
    """Raise ValueError when a bound does something: mypyc evaluates bounds twice for types that it does not know."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and ast.unparse(each.func) not in _HARMLESS_CALLS:
            if isinstance(each.func, ast.Attribute) and each.func.attr in ("find", "rfind"):
                continue
            raise ValueError(f"line {each.lineno}: give the result of `{ast.unparse(each)}` a name before the slice")


def _check_waits(node: ast.Try) -> None:
    """Raise ValueError when it waits while it handles an error, which would be the error of all that runs meanwhile.

    Python keeps the error that a coroutine handles with the coroutine; mypyc leaves it with the thread.
    """
    for handler in [*node.handlers, *node.finalbody]:
        for each in ast.walk(handler):
            if isinstance(each, ast.Await | ast.Yield | ast.YieldFrom):
                raise ValueError(f"line {each.lineno}: wait for `{ast.unparse(each)}` after the error was handled")


def _write_assignment(call: ast.Call, lines: list[str]) -> None:
    """Assign what a frozen struct gets by force."""
    of, name, value = call.args
    assert isinstance(name, ast.Constant)
    _write(lines, call, [f"{' ' * call.col_offset}{ast.unparse(of)}.{name.value} = {ast.unparse(value)}\n"])


def _write(lines: list[str], node: ast.stmt | ast.expr, by: list[str]) -> None:
    """Replace the lines of `node`, and blank those that are left."""
    end = node.end_lineno or node.lineno
    lines[node.lineno - 1 : end] = [*by, *["\n"] * (end - node.lineno + 1 - len(by))]


def _constants(tree: ast.Module) -> Iterator[ast.Assign | ast.AnnAssign]:
    """Yield what gives a name of the module its only value, apart from types: mypyc looks others up in a dictionary."""
    changed = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    named = Counter([name for node in tree.body for name in _names_assigned(node)])
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(name)], value=value)
                | ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value)
            ):
                is_type = isinstance(value, ast.Call) and ast.unparse(value.func) in _TYPE_MAKERS
                if _CONSTANT.fullmatch(name) and named[name] == 1 and name not in changed and not is_type:
                    yield node


def _names_assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [each.id for target in targets if target for each in ast.walk(target) if isinstance(each, ast.Name)]


def _write_constant(node: ast.Assign | ast.AnnAssign, lines: list[str]) -> None:
    """Declare it Final, on the first of its lines. Its annotation takes no more than that."""
    at = node.lineno - 1
    name, _, value = lines[at].partition(" = ")
    kind = f"[{ast.unparse(node.annotation)}]" if isinstance(node, ast.AnnAssign) else ""
    lines[at] = f"{name.partition(':')[0]}: typing.Final{kind} = {value}"


def _write_class(node: ast.ClassDef, lines: list[str]) -> None:
    bases = [ast.unparse(base) for base in node.bases]
    for statement in node.body:
        name = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
        if name == "__slots__":
            _write(lines, statement, ["    pass\n"])
        elif name.isupper() and "Enum" not in bases:
            raise ValueError(f"{node.name}.{name} is not a ClassVar: mypyc would make it an attribute of objects alone")
    if _PROTOCOL in bases:
        kept = [base for base in bases if base != _PROTOCOL]
        lines[node.lineno - 1] = f"class {node.name}({', '.join(kept)}):\n"
    is_struct = any(base.partition("[")[0] in _STRUCTS for base in bases)
    if is_struct:
        _write_struct(node, bases, lines)
    elif node.name in ATTRIBUTES:
        lines[_first_line(node) - 2] = f"@mypyc_attr({ATTRIBUTES[node.name]})\n"


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])


def _write_struct(node: ast.ClassDef, bases: list[str], lines: list[str]) -> None:
    """Write the methods of a struct in place of its decorators, of its docstring and of the blank lines around them."""
    fields = [
        each
        for each in node.body
        if isinstance(each, ast.AnnAssign) and not ast.unparse(each.annotation).startswith("ClassVar")
    ]
    derived = [base for base in bases if base != "msgspec.Struct"]
    text = [f"class {node.name}({', '.join(derived)}):\n", *_methods(node, fields)]
    if any(each.arg == "gc" for each in node.keywords):  # only ever False
        text.insert(0, "@mypyc_attr(acyclic=True)\n")
    begin = _first_line(node) - 3
    end = _first_line(next(each for each in node.body if not isinstance(each, ast.Expr))) - 1
    if len(text) > end - begin:
        raise ValueError(f"{node.name} has no room for its methods: its docstring is too short")
    lines[begin:end] = [*["\n"] * (end - begin - len(text)), *text]
    for place, each in zip(fields, _laid_out(fields, FIRST.get(node.name, ())), strict=True):
        _write(lines, place, [f"    {ast.unparse(each.target)}: {ast.unparse(each.annotation)}\n"])


def _laid_out(fields: list[ast.AnnAssign], first: tuple[str, ...]) -> list[ast.AnnAssign]:
    """Return `fields` with those named `first` before the others. Raises ValueError when there is no such field."""
    by_name = {ast.unparse(each.target): each for each in fields}
    if missing := set(first) - set(by_name):
        raise ValueError(f"FIRST names what is no field: {', '.join(sorted(missing))}")
    return [by_name[name] for name in dict.fromkeys((*first, *by_name))]


def _methods(node: ast.ClassDef, fields: list[ast.AnnAssign]) -> Iterator[str]:
    """Yield the methods that msgspec makes for a struct, one line each."""
    if any(each.arg not in _OPTIONS for each in node.keywords):
        raise ValueError(f"{node.name}: a struct that is encoded or decoded belongs in a module that is not compiled")
    options = {str(each.arg): ast.unparse(each.value) == "True" for each in node.keywords}
    first = "msgspec.Struct" in map(ast.unparse, node.bases)
    own = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    names = [ast.unparse(each.target) for each in fields]
    required, optional = [], []
    steps = [] if first else ["super().__init__()"]
    for name, field in zip(names, fields, strict=True):
        kind = ast.unparse(field.annotation)
        if field.value is None:
            required.append(f"{name}: {kind}")
            steps.append(f"self.{name} = {name}")
            continue
        parameter, step = _with_default(name, kind, field.value)
        optional.append(parameter)
        steps.extend(step)
    if "__post_init__" in own:
        steps.append("self.__post_init__()")
    keyword_only = ["*"] if options.get("kw_only") else []
    yield f"    def __init__({', '.join(['self', *keyword_only, *required, *optional])}) -> None: {'; '.join(steps)}\n"
    now = ", ".join(f"{name!r}: self.{name}" for name in names)
    yield f"    def __replace__(self, **values: typing.Any) -> typing.Any: return {node.name}(**({{{now}}} | values))\n"
    if not options.get("frozen"):
        now = ", ".join(f"{name}=self.{name}" for name in names)
        yield f"    def __copy__(self) -> typing.Any: return {node.name}({now})\n"
    if options.get("eq", first):  # a `Waiter` is compared by identity, and what is derived from it
        mine, theirs = (", ".join(f"{whose}.{name}" for name in names) for whose in ("self", "other"))
        yield (
            f"    def __eq__(self, other: object) -> bool: "
            f"return isinstance(other, {node.name}) and ({mine},) == ({theirs},)\n"
        )
        if options.get("frozen"):
            yield f"    def __hash__(self) -> int: return hash(({mine},))\n"


def _with_default(name: str, kind: str, default: ast.expr) -> tuple[str, list[str]]:
    """Return the parameter for a field with a default, and the statements that set it."""
    text = ast.unparse(default)
    if text == "None" and "None" not in kind and kind not in ("Any", "object"):
        return f"{name}: {kind} | None = None", []  # `__post_init__` sets it
    made = text if text in ("[]", "{}") else ""
    if isinstance(default, ast.Call) and ast.unparse(default.func) in ("msgspec.field", "field"):
        made = f"({ast.unparse(default.keywords[0].value)})()"
    if made:
        return f"{name}: typing.Any = None", [f"self.{name} = {made} if {name} is None else {name}"]
    return f"{name}: {kind} = {text}", [f"self.{name} = {name}"]


def _import_typing(tree: ast.Module, lines: list[str]) -> None:
    """Import it beside something else, where lines that were written use it, and what marks classes after the rest."""
    imports = [each for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom)]
    marked = any(line.startswith("@mypyc_attr") for line in lines)
    if marked or any("typing." in line for line in lines):
        at = next(each.lineno for each in imports if each.lineno == each.end_lineno)
        lines[at - 1] = f"{lines[at - 1].rstrip()}; import typing\n"
    if marked:
        after = imports[-1].end_lineno or 0
        if lines[after].strip():
            raise ValueError("the class after the imports has no room for what marks it: its docstring is too short")
        lines[after] = "if typing.TYPE_CHECKING: from mypy_extensions import mypyc_attr\n"


if __name__ == "__main__":
    main()
