"""Tests with sockets run on both event loops: uvloop is used in production, asyncio is the documented one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop

from gateway.kernel.clock import Clock
from gateway.upstream.outlier_detection import EjectionRules, OutlierDetector
from gateway.upstream.shared_state import SharedState
from gateway.upstream.target import Target
from gateway.upstream.tls import TlsFiles, ssl_context
from gateway.upstream.upstream import Upstream
from tests.unit.upstream.calls import Make, RecordingObserver, RetryCounter, Several

ON_BOTH_LOOPS = (
    "test_body_receiver",
    "test_connect",
    "test_deadlines",
    "test_health",
    "test_response_parser_replies",
    "test_target",
    "test_upstream",
)


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    both = item.path.name.startswith(ON_BOTH_LOOPS)
    return {"uvloop": uvloop.new_event_loop} | ({"asyncio": asyncio.new_event_loop} if both else {})


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Target] = []

    def target(url: str, tls: TlsFiles | None = None, **changed: Any) -> Target:
        context = ssl_context(tls or TlsFiles()) if url.startswith("https:") else None
        settings: dict[str, Any] = {
            "max_connections": 4,
            "max_pending": 4,
            "idle_timeout_s": 30.0,
            "server_name": None,
        } | changed
        made.append(Target("orders", url, context=context, clock=Clock(time.monotonic, time.time), **settings))
        return made[-1]

    yield target
    for each in made:
        await each.close()
        assert (each.idle, each.active, each.pending) == (0, 0, 0)


@pytest.fixture
def several(make: Make) -> Several:
    """Makes an Upstream of targets at some URLs. The first one is chosen, until its calls fail."""

    def upstream(
        *urls: str,
        chance: Callable[[], float] = lambda: 0.0,
        monotonic: Callable[[], float] = time.monotonic,
        observer: RetryCounter | None = None,
        failures: int = 5,
        ejections: RecordingObserver | None = None,
        ejected_s: float = 60.0,
        **changed: Any,
    ) -> Upstream:
        rules = EjectionRules(failures, ejected_s, ejected_s, 50)
        weights = dict.fromkeys(range(len(urls)), 1)
        row = SharedState({"orders": [f"{number} {url}" for number, url in enumerate(urls)]}).upstreams["orders"]
        detector = OutlierDetector(
            row, weights, rules, ejections or RecordingObserver(), 1, Clock(time.monotonic, time.time), lambda: 0.0
        )
        return Upstream(
            "orders", [make(url, **changed) for url in urls], detector, Clock(monotonic, time.time), chance, observer
        )

    return upstream
