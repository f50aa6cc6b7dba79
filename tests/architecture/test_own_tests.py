"""How the lines of a module and the names of its own test files are found."""

from pathlib import Path

from tests.architecture.own_tests import lines_of_functions, own_tests

SOURCE = """\
import os

LIMIT = 1


class A:
    def one(self) -> int:
        if LIMIT:
            return 1
        return 2

    async def two(self) -> None: ...
"""


def test_lines_of_functions_are_those_of_their_bodies() -> None:
    assert lines_of_functions(SOURCE) == {8, 9, 10, 12}


def test_a_module_has_the_test_files_of_its_name() -> None:
    assert own_tests(Path("gateway/edge/listener.py")) == (
        "tests/unit/edge/test_listener.py",
        "tests/unit/edge/test_listener_",
    )
    assert own_tests(Path("gateway/supervisor/__init__.py"))[0] == "tests/unit/supervisor/test_supervisor.py"
    assert own_tests(Path("gateway/exchange.py"))[0] == "tests/unit/test_exchange.py"
