"""A Recorder with what it writes, and an exchange for it."""

import json
import os
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from gateway.exchange import Exchange, Reply
from gateway.kernel.limits.token_bucket import Decision, WindowState
from gateway.observe.access_log import AccessLog
from gateway.observe.metrics import Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRing
from gateway.observe.writer import Writer
from gateway.stages.record import Recorder
from gateway.upstream.call import Answer
from tests.samples import MINUTE, caller, exchange, route
from tests.scrape import scraped


class Recording:
    """A Recorder with what it writes on."""

    def __init__(self, *, access: bool = True) -> None:
        self.metrics = Metrics()
        self._read, self._write = os.pipe()
        self._writer = Writer(self._write)
        self.errors = ErrorRing()
        log = AccessLog(self._writer, lambda: 1_800_000_000.0, enabled=access)
        self.recorder = Recorder(self.metrics, log, "X-Api-Key", ErrorLog(self.errors))

    def record(self, x: Exchange, now_s: float = 0.010) -> dict[str, object]:
        """Record `x` and return its line, {} without one."""
        self.recorder.begin()
        assert self.metrics.in_flight.value == 1
        self.recorder.record(x, now_s)
        assert self.metrics.in_flight.value == 0
        self._writer.close(1.0)
        os.close(self._write)
        with os.fdopen(self._read) as lines:
            line = lines.read()
        return json.loads(line.splitlines()[-1]) if line else {}

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples called `name` that have these labels."""
        families = text_string_to_metric_families(scraped(self.metrics).decode())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def served(**changes: Any) -> Exchange:
    x = exchange(route=route(), caller=caller(), upstream_s=0.004, limiter_s=0.0001, **changes)
    x.decision = Decision(allowed=True, store="local", states=(WindowState(MINUTE, 299, 200_000, 0),))
    x.answer = Answer(200, [], b"{}", None, 2, "127.0.0.1:3000")
    x.reply, x.sent_bytes = Reply(200, [], b"12345", source="upstream"), 5
    return x
