"""python -m tests.architecture.own_tests: whether each module is covered to the last line by its own test file.

Reads what `pytest --cov` has measured. The tests of gateway/a/b.py are in tests/unit/a/test_b.py, and in files of that
folder whose names go on after that (test_b_more.py). A line of a function has to be run by one of them. Lines outside
of functions run when the module is imported. Modules that are not measured run in processes of their own (`omit` in
pyproject.toml).

own_tests.json has the number of lines, by module, that only other tests run. It is meant to go down: `--renew` writes
the present numbers. What is computed once a process counts for the test that asks first, so the tests of a module that
seems to lack more are run again, alone. TIMING_LINES more may be missing: what happens first differs between runs, and
some lines between interpreters.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import coverage

from tests.architecture.files import ROOT, sources

ALLOWED = Path(__file__).with_suffix(".json")
TIMING_LINES = 12


def own_tests(module: Path) -> tuple[str, str]:
    """Return how the names of the test files of `module`, which is relative to the root, begin."""
    name = module.parts[-2] if module.stem == "__init__" else module.stem
    path = Path("tests", "unit", *module.parts[1:-1], f"test_{name}")
    return f"{path}.py", f"{path}_"


def lines_of_functions(source: str) -> set[int]:
    """Return the numbers of the lines inside functions, without those of their heads."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.update(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
    return found


def _measured(file: Path) -> coverage.Coverage:
    found = coverage.Coverage(data_file=str(file), config_file=str(ROOT / "pyproject.toml"))
    found.load()
    return found


def _missing(measured: coverage.Coverage, module: Path) -> list[int]:
    """Return the first lines of the statements in functions that were not run."""
    _, _, _, missing, _ = measured.analysis2(str(ROOT / module))
    return sorted(lines_of_functions((ROOT / module).read_text()) & set(missing))


def run_by_others_only() -> dict[Path, list[int]]:
    """Return the lines, by module, that the module's own tests did not run when all tests ran."""
    measured = _measured(ROOT / ".coverage")
    data = measured.get_data()
    found = {}
    for module in sources("gateway"):
        file = str(ROOT / module)
        if file not in data.measured_files():
            continue
        # A context of no name is the import of modules, which may call their functions.
        data.set_query_contexts(["^$", *(f"^{re.escape(own)}" for own in own_tests(module))])
        if missing := _missing(measured, module):
            found[module] = missing
    return found


def not_run_alone(module: Path) -> list[int]:
    """Return the lines that the module's own tests do not run when they run alone."""
    one, more = own_tests(module)
    tests = [*ROOT.glob(one), *ROOT.glob(f"{more}*.py")]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "coverage")
        options = ["-q", "-p", "no:cacheprovider", "--cov", "--cov-report="]
        if tests:
            subprocess.run(
                [sys.executable, "-m", "pytest", *options, *map(str, tests)],
                cwd=ROOT,
                env=os.environ | {"COVERAGE_FILE": str(file)},
                stdout=subprocess.DEVNULL,
            )
        return _missing(_measured(file), module)


def main() -> int:
    found = run_by_others_only()
    if "--renew" in sys.argv:
        counts = {str(module): len(lines) for module, lines in found.items()}
        ALLOWED.write_text(json.dumps(counts, indent=2) + "\n")
        return 0
    allowed: dict[str, int] = json.loads(ALLOWED.read_text())
    failed = False
    for module, seen in found.items():
        most = allowed.get(str(module), 0) + TIMING_LINES
        if len(seen) > most and len(lines := not_run_alone(module)) > most:
            print(f"{module}: {own_tests(module)[0]} has to run the lines {', '.join(map(str, lines))}")
            failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
