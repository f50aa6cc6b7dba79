"""What tests of more than one folder use.

`pytest --in-tasks` runs every exchange in a task from its start, also in the gateways that tests start as processes,
which then use the parsers for every request and reply, too. The same tests have to pass: how an exchange is carried out
is a question of cost alone.

`pytest --compiled FOLDER` lets gateways that tests start as processes run what `deploy/compile.py FOLDER` has made of
the sources. Without it they run the sources, whatever the environment says and holds.
"""

import gc
import os
from pathlib import Path

import coverage
import hypothesis
import pytest

from gateway.net.coroutine_driver import CoroutineDriver
from gateway.system.compiled import VARIABLE, modules_in
from tests import gateway_process

_ROOT = Path(__file__).parents[1]
_FILE = pytest.StashKey[str]()

pytest_plugins = ["tests.redis_server", "tests.redis_sentinels", "tests.redis_cluster"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--in-tasks", action="store_true", help="run every exchange in a task from its start")
    parser.addoption("--compiled", metavar="FOLDER", help="run gateways as processes with what is in there")


def pytest_configure(config: pytest.Config) -> None:
    # An example may take as long as a busy machine lets it.
    hypothesis.settings.register_profile("unhurried", deadline=None)
    hypothesis.settings.load_profile("unhurried")
    if config.getoption("--in-tasks"):
        CoroutineDriver.always_in_task = True
        gateway_process.launcher = gateway_process.IN_TASKS
    compiled: str = config.getoption("--compiled") or ""
    if compiled and (config.getoption("--in-tasks") or not modules_in(Path(compiled))):
        raise pytest.UsageError("--compiled: what is there was not made of these sources, or there is --in-tasks, too")
    os.environ[VARIABLE] = compiled and str(Path(compiled).resolve())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage where the tests of single modules have covered everything: it doubles the time."""
    for item in items:
        if _ROOT / "tests" / "properties" in item.path.parents or item.path.name == "test_hostile_requests.py":
            item.add_marker("no_cover")


def pytest_collection_finish() -> None:
    """Let no later collection visit the thousands of tests: a full one takes a tenth of a second otherwise."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tell coverage which file's tests run, for `tests.architecture.own_tests`."""
    measuring = coverage.Coverage.current()
    name = str(item.path.relative_to(_ROOT))
    if measuring is not None and name != item.config.stash.get(_FILE, ""):
        item.config.stash[_FILE] = name
        measuring.switch_context(name)
