"""A bounded queue of spans, and the thread that sends them in batches.

Laws: `offer` never waits and never raises. A collector that is slow or away costs spans, which are counted, and no
memory beyond the queue.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import structlog

from gateway.tracing.span import Span

MOST_SPANS = 4096
BATCH_SPANS = 512
DELAY_S = 1.0
CLOSES_WITHIN_S = 2.0

SendSpans: TypeAlias = Callable[[list[Span]], bool]
"""Sends a batch and returns whether it was taken. It may take its time, and is called in the thread of the queue."""


class ExportQueue:
    """Holds spans until they are sent. `start` it in the process that uses it, after any fork.

    `most_spans` may wait, and no span waits for longer than `delay_s` before it is sent. `exported` and `dropped` count
    spans.
    """

    def __init__(self, send: SendSpans, *, most_spans: int = MOST_SPANS, delay_s: float = DELAY_S) -> None:
        self.exported = 0
        self._send = send
        self._most_spans = most_spans
        self._delay_s = delay_s
        self._waiting: deque[Span] = deque()
        self._refused = 0
        self._failed = 0
        self._well = True
        self._closing = False
        self._wake = threading.Event()
        # A daemon, because a collector that hangs must not keep the process from exiting.
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)

    def __repr__(self) -> str:
        return f"<ExportQueue {len(self._waiting)} waiting, {self.exported} exported, {self.dropped} dropped>"

    @property
    def dropped(self) -> int:
        """The number of spans that found the queue full, or that the collector did not take."""
        return self._refused + self._failed

    def start(self) -> None:
        self._thread.start()

    def offer(self, spans: tuple[Span, ...]) -> bool:
        """Take `spans`, all of them or none; return whether there was room. For one thread."""
        if self._closing or len(self._waiting) + len(spans) > self._most_spans:
            self._refused += len(spans)
            return False
        self._waiting.extend(spans)
        if len(self._waiting) >= BATCH_SPANS:
            self._wake.set()
        return True

    def close(self, timeout_s: float = CLOSES_WITHIN_S) -> None:
        """Send what waits, for at most `timeout_s`, and count the rest as dropped. Blocks."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._refused += len(self._waiting)

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(self._delay_s)
            self._wake.clear()
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while batch := self._next_batch():
            try:
                taken = self._send(batch)
            except Exception:
                taken = False
            if taken:
                self.exported += len(batch)
            else:
                self._failed += len(batch)
            if taken != self._well:
                self._well = taken
                self._report(taken=taken)

    def _next_batch(self) -> list[Span]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(BATCH_SPANS, len(waiting)))]

    @staticmethod
    def _report(*, taken: bool) -> None:
        if taken:
            structlog.get_logger().info("spans are exported again")
        else:
            structlog.get_logger().warning("spans are not exported", reason="the collector does not take them")
