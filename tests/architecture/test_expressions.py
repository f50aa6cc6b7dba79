"""No regular expression that meets untrusted bytes has two unbounded repeats that can match the same text.

Whoever searches counts as a repeat in front of the whole: `[?][^;]*=` begins anew at every question mark.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.capture.body_redaction import SECRET_NAMES, members_of
from gateway.kernel.http.key_scrubbing import _resemblance
from gateway.observe.redact import _NAMES, _field_of
from tests.architecture.expressions import ambiguity
from tests.architecture.files import ROOT, module_name, sources

TRUSTED = ("gateway/settings/", "gateway/cli/", "gateway/net/redis_url.py")
"""These read the operator's own files and arguments."""

MADE = {
    "gateway/capture/body_redaction.py": [(members_of(SECRET_NAMES), True)],
    "gateway/kernel/http/key_scrubbing.py": [(_resemblance("x-api-key"), True)],
    "gateway/observe/redact.py": [(_field_of(_NAMES), True)],
}
"""Expressions that are put together in a function, and whether they are searched for."""

_SEARCHES = {"search", "sub", "subn", "split", "findall", "finditer"}
_ONCE = {"match", "fullmatch"}


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
        ):
            yield node


def _found(path: Path) -> Iterator[tuple[str | bytes, int, bool]]:
    """Every expression of a module, its flags, and whether it is searched for.

    Raises AssertionError for one that cannot be read.
    """
    text = (ROOT / path).read_text()
    if "import re\n" not in text:
        return
    tree = ast.parse(text)
    module = importlib.import_module(module_name(path))
    at_the_top = {
        id(node)
        for statement in tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for node in ast.walk(statement)
    }
    for name, value in vars(module).items():
        pattern = value if isinstance(value, re.Pattern) else getattr(value, "__self__", None)
        if isinstance(pattern, re.Pattern):
            used = set(re.findall(rf"\b{name}\.(\w+)", text))
            yield pattern.pattern, pattern.flags, bool(used & _SEARCHES) or not (used & _ONCE or value is not pattern)
    for call in _calls(tree):
        name = call.func.attr  # type: ignore[attr-defined]
        if name == "escape" or id(call) in at_the_top:
            continue
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str | bytes):
            yield call.args[0].value, 0, name in _SEARCHES
        else:
            assert str(path) in MADE, f"{path}:{call.lineno}: an expression that nobody can read; add it to MADE"
    for made, searched in MADE.get(str(path), []):
        yield made.pattern, made.flags, searched


UNTRUSTED = [path for path in sources("gateway") if not str(path).startswith(TRUSTED)]


@pytest.mark.parametrize("path", UNTRUSTED, ids=str)
def test_no_expression_tries_again_and_again(path: Path) -> None:
    for pattern, flags, searched in _found(path):
        assert ambiguity(pattern, flags, searched=searched) is None, pattern


@pytest.mark.parametrize(
    "pattern",
    [
        r"a*a*b", r"a+a+$", r"\w+\d+x", r"(?:a|ab)*(?:b|a)*c", r"(?:a*)*b", r"(?:a+)+$", r"(?:a|a)*b", r"\s*;?\s*x", r"a{1,99}a{1,99}b", r"(?:.*)(?:.*)x", r"(?:a?b?)*c",
        r"[a-z]*[^0-9]*1", r"(?i)k*K*x", r'"(?:[^"]|\\.)*"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("searched", [False, True])
def test_what_is_found(pattern: str, *, searched: bool) -> None:
    assert ambiguity(pattern, searched=searched) is not None


@pytest.mark.parametrize(
    "pattern", [r"\[[^\]]*\]?\W*$", r"[^<>]*>", r"\s+$", r"\s*+x", r"[?;][^;]*=", r"a{7,}b", r"(?m)^a*b", r"<.*?>"]
)
def test_what_is_found_where_one_searches(pattern: str) -> None:
    assert ambiguity(pattern, searched=True) is not None


@pytest.mark.parametrize(
    "pattern",
    [r"a*b", r"a*ba*", r"<[^<>]*>", r"[?;][^?;]*=", r"[\s;]+", r"a*+a*b", r"(?>a*)a*b", r"a{1,3}a{1,3}b", r"\A\s*<", r"%[0-9A-F]{2}", r'"[^"\\]*(?:\\.[^"\\]*)*"', r"(?:ab)*c"],
)  # fmt: skip
def test_what_is_in_order(pattern: str) -> None:
    assert ambiguity(pattern, searched=False) is None


def test_none_is_left_out() -> None:
    """A module that imports the engine under another name would not be looked at."""
    for path in UNTRUSTED:
        assert not re.search(r"from re import|import re as|import regex", (ROOT / path).read_text()), path
