"""stages/record.py: exchanges that end in one iteration of the event loop are recorded before their replies leave."""

import asyncio
import json
from asyncio import WriteTransport
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from gateway.exchange import Exchange, Reply
from gateway.kernel.faults import KEY_EXPIRED, GatewayError
from gateway.net.write_batch import WriteBatch
from gateway.observe.access_log import AccessLog
from gateway.observe.metrics import Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRing
from gateway.stages.record import Recorder
from tests.logged_gateway import Lines
from tests.samples import exchange, route
from tests.unit.stages.recording import served


class Together:
    """A Recorder while replies wait, and what it writes on."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.output = Lines()
        self.errors = ErrorRing()
        self.waiting: list[Callable[[], None]] = []
        self.now_s = 0.010
        log = AccessLog(self.output, lambda: 1_800_000_000.0)
        errors = ErrorLog(self.errors)
        self.recorder = Recorder(self.metrics, log, "X-Api-Key", errors, self.waiting.append)

    def record(self, *exchanges: Exchange) -> None:
        for x in exchanges:
            self.recorder.begin()
            self.recorder.record(x, self.now_s)

    def write(self) -> None:
        """Do what comes directly before the replies are written."""
        (callback,) = self.waiting
        self.waiting.clear()
        callback()

    def counted(self, status: int) -> float:
        return self.metrics.requests.labels("orders", "GET", status, "upstream").value


@pytest.fixture
def together() -> Together:
    return Together()


def refused() -> Exchange:
    return exchange(route=route(), error=GatewayError(KEY_EXPIRED), reply=Reply(401, [], b"", code=1002))


def test_all_are_recorded_before_the_replies_are_written(together: Together) -> None:
    taken = route()
    exchanges = [served(method="GET") for _ in range(5)]
    for x in exchanges:
        x.route = taken
    together.record(*exchanges, refused())
    assert (together.output.lines, together.counted(200)) == ([], 0)
    together.write()
    assert together.metrics.in_flight.value == 0
    lines = [json.loads(line) for line in together.output.lines]
    assert [line["request_id"] for line in lines] == [*[x.request_id for x in exchanges], lines[-1]["request_id"]]
    assert (together.counted(200), len(list(together.errors.records()))) == (5, 1)
    assert together.metrics.request_duration.labels("orders").count == 6
    together.record(*exchanges[:1])
    together.write()
    assert together.counted(200) == 6


def test_a_reply_that_has_left_is_counted_whatever_becomes_of_the_process() -> None:
    together, write_batch = Together(), WriteBatch()
    together.recorder = Recorder(
        together.metrics, AccessLog(together.output, lambda: 0.0), "X-Api-Key", None, write_batch.before_writes
    )

    class Client(WriteTransport):
        """Notes what is counted when it gets a reply."""

        def __init__(self) -> None:
            super().__init__()
            self.counted: list[float] = []

        def write(self, data: object) -> None:
            self.counted.append(together.counted(200))

        def is_closing(self) -> bool:
            return False

    async def answer(client: Client, number: int) -> None:
        for _ in range(number):
            write_batch.put(client, b"reply")
            together.record(served(method="GET"))
        await asyncio.sleep(0)

    client = Client()
    asyncio.run(answer(client, 5))
    assert client.counted == [5] * 5
    write_batch.flush()  # before what is written directly
    client.write(b"reply")
    together.record(served(method="GET"))
    assert together.counted(200) == 6


def test_a_line_has_the_time_at_which_its_exchange_has_ended(together: Together) -> None:
    for _ in range(2):
        together.record(served(), refused())
        together.now_s += 0.001
    together.write()
    times = [json.loads(line)["timestamp"][-5:] for line in together.output.lines]
    assert times == [".000Z", ".000Z", ".001Z", ".001Z"]
    assert sorted(kept.at for kept in together.errors.records()) == [1_800_000_000.0, 1_800_000_000.001]


def test_one_that_cannot_be_recorded_takes_no_other_with_it(together: Together) -> None:
    broken = served(method="GET")
    broken.started = "never"  # type: ignore[assignment]
    together.record(served(method="GET"), broken, served(method="GET"))
    with capture_logs() as logs:
        together.write()
    assert [line["request_id"] for line in logs] == [broken.request_id]
    assert (together.counted(200), len(together.output.lines)) == (2, 2)
    assert together.metrics.unrecorded.value == 1


def test_what_cannot_be_counted_is_reported(together: Together) -> None:
    broken, taken = served(method="GET"), route()
    broken.sent_bytes = "many"  # type: ignore[assignment]
    broken.route = taken
    together.record(broken, refused())
    with capture_logs() as logs:
        together.write()
    assert [line["event"] for line in logs] == ["bug"]
    assert (together.metrics.unrecorded.value, len(together.output.lines)) == (1, 2)
    assert together.metrics.requests.labels("orders", "GET", 401, "gateway").value == 1
