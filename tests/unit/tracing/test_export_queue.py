import threading

from structlog.testing import capture_logs

from gateway.tracing.export_queue import BATCH_SPANS, ExportQueue
from gateway.tracing.span import Span
from tests.unit.tracing.spans import span

LONG_S = 60.0


class Sink:
    """Takes batches; refuses them while `takes` is false, and raises while it is None."""

    def __init__(self) -> None:
        self.batches: list[list[Span]] = []
        self.takes: bool | None = True
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.called = threading.Semaphore(0)

    def send(self, spans: list[Span]) -> bool:
        self.called.release()
        assert self.gate.wait(LONG_S)
        self.threads.add(threading.current_thread().name)
        self.batches.append(spans)
        if self.takes is None:
            raise ValueError
        return self.takes

    def wait(self) -> None:
        assert self.called.acquire(timeout=LONG_S)


def test_what_waits_is_sent_at_the_end_by_a_thread_of_its_own() -> None:
    sink = Sink()
    queue = ExportQueue(sink.send, delay_s=LONG_S)
    queue.start()
    assert queue.offer((span(), span()))
    queue.close(LONG_S)
    assert (sink.batches, sink.threads) == ([[span(), span()]], {"spans"})
    assert (queue.exported, queue.dropped) == (2, 0)
    assert not queue.offer((span(),))
    assert repr(queue) == "<ExportQueue 0 waiting, 2 exported, 1 dropped>"


def test_what_waits_is_sent_after_a_while_or_as_soon_as_it_is_a_batch() -> None:
    soon = Sink()
    queue = ExportQueue(soon.send, delay_s=0.001)
    queue.start()
    queue.offer((span(),))
    soon.wait()
    queue.close(LONG_S)
    full = Sink()
    queue = ExportQueue(full.send, delay_s=LONG_S)
    queue.start()
    for _ in range(BATCH_SPANS):
        queue.offer((span(),))
    full.wait()
    queue.close(LONG_S)
    assert sum(map(len, full.batches)) == BATCH_SPANS
    assert max(map(len, full.batches)) <= BATCH_SPANS


def test_a_full_queue_takes_all_spans_of_a_request_or_none_and_counts_them() -> None:
    queue = ExportQueue(Sink().send, most_spans=3)
    assert queue.offer((span(), span()))
    assert not queue.offer((span(), span()))
    assert queue.offer((span(),))
    assert queue.dropped == 2


def test_a_queue_that_was_never_started_closes_at_once_and_counts_what_is_left() -> None:
    queue = ExportQueue(Sink().send)
    queue.offer((span(),))
    queue.close(LONG_S)
    assert (queue.exported, queue.dropped) == (0, 1)


def test_a_collector_that_hangs_does_not_hold_up_the_end() -> None:
    sink = Sink()
    sink.gate.clear()
    queue = ExportQueue(sink.send, delay_s=0.001)
    queue.start()
    queue.offer((span(),))
    sink.wait()
    queue.offer((span(), span()))
    queue.close(0.01)
    assert queue.dropped == 2
    sink.gate.set()


def test_spans_that_are_not_taken_are_counted_and_reported_once() -> None:
    sink = Sink()
    queue = ExportQueue(sink.send)
    with capture_logs() as lines:
        for takes in (True, False, None, True, False):
            sink.takes = takes
            queue.offer((span(),))
            queue._send_all()
    assert (queue.exported, queue.dropped) == (2, 3)
    assert [line["event"] for line in lines] == [
        "spans are not exported", "spans are exported again", "spans are not exported",
    ]  # fmt: skip
