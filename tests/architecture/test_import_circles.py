"""No module of the gateway imports itself through others, not even for a type (`if TYPE_CHECKING:`)."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from tests.architecture.files import ROOT, module_name, sources


def _imported(tree: ast.Module, names: set[str]) -> Iterator[str]:
    """Return the modules of `names` that `tree` imports anywhere. A package does not import its modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in names or node.module in names:
                    yield inner if inner in names else node.module


def circle(imports: dict[str, set[str]]) -> list[str]:
    """One circle of `imports`, [] when there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


def test_there_is_no_import_circle() -> None:
    files = {module_name(path): ROOT / path for path in sources("gateway")}
    imports = {name: {*_imported(ast.parse(path.read_text()), set(files))} - {name} for name, path in files.items()}
    assert circle(imports) == []
