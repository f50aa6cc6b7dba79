"""What tests of more than one folder use.

`pytest --in-tasks` runs every exchange in a task from its start, also in the gateways that tests start as processes,
which then use the parsers for every request and reply, too. The same tests have to pass: how an exchange is carried out
is a question of cost alone.

`pytest --compiled FOLDER` lets gateways that tests start as processes run what `deploy/compile.py FOLDER` has made of
the sources. Without it they run the sources, whatever the environment says and holds.
"""

import gc
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import coverage
import hypothesis
import pytest

import gateway
from gateway.net.coroutine_driver import CoroutineDriver
from gateway.system.compiled import VARIABLE, modules_in
from tests import gateway_process

_ROOT = Path(__file__).parents[1]
_FILE = pytest.StashKey[str]()
"""Whose tests run."""
_MEASURING = pytest.StashKey[coverage.Coverage]()
"""What measures, when asked to."""
_FORGETS = pytest.StashKey[list[Callable[[], None]]]()
"""Each has a function of the gateway forget what it has computed once for all."""

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


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Have coverage measure how the modules of the gateway are imported, and not how those of the tests are."""
    measuring = coverage.Coverage.current()
    if measuring is None or session.config.pluginmanager.hasplugin("dsession"):  # which leaves it to its workers
        return (yield)
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        import_module(module.name)
    measuring.stop()
    session.config.stash[_MEASURING] = measuring
    session.config.stash[_FORGETS] = [
        each.cache_clear
        for name, module in sys.modules.items()
        if name.startswith("gateway.")
        for each in vars(module).values()
        if hasattr(type(each), "cache_clear")
    ]
    return (yield)


def pytest_collection_finish() -> None:
    """Let no later collection visit the thousands of tests: a full one takes a tenth of a second otherwise."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Measure the tests of single modules alone: to measure doubles the time, and these have to cover everything.

    Tell coverage which file's tests run, for `tests.architecture.own_tests`. What was computed before is forgotten.
    """
    name, stash = str(item.path.relative_to(_ROOT)), item.config.stash
    measuring = stash.get(_MEASURING, None)
    if measuring is None or name == stash.get(_FILE, ""):
        return
    stash[_FILE] = name
    measuring.stop()
    if name.startswith("tests/unit/"):
        for forget in stash[_FORGETS]:
            forget()
        measuring.start()
        measuring.switch_context(name)
