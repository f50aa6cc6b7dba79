import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gateway.observe.exposition import Exposition
from gateway.observe.instruments import Counter, Exemplar, Family, Gauge, Histogram
from gateway.observe.shared_memory import Declaration, Merge, Region

OPENMETRICS = "application/openmetrics-text; version=1.0.0, text/plain; q=0.5"
AWKWARD = 'a"b\\c\nd é'


class Worker:
    """One process's metrics."""

    def __init__(self, buckets: tuple[float, ...] = (0.00005, 0.1, 2.0), region: Region | None = None) -> None:
        self.region = region or Region.create(2000, 1 << 18)
        self.samples = Family(
            self.region, Counter, Declaration("things_total", "counter", "Things\\counted.", ("zone", "kind")), 1000
        )
        self.bytes = Family(self.region, Counter, Declaration("bytes_total", "counter", "Bytes.", ()), 1)
        self.level = self.gauge("level", "sum")
        self.lowest = self.gauge("lowest", "min")
        self.highest = self.gauge("highest", "max")
        self.info = Family(
            self.region, Gauge, Declaration("build_info", "info", "The build.", ("version",), merge="max"), 9
        )
        self.wait = Family(
            self.region, Histogram, Declaration("wait_seconds", "histogram", "Waiting.", ("zone", "code"), buckets), 100
        )
        self.traced = Family(self.region, Exemplar, Declaration("wait_seconds", "exemplar", "", ("zone", "code")), 100)
        self.pause = Family(
            self.region, Histogram, Declaration("pause_seconds", "histogram", "Pausing.", (), buckets), 1
        )

    def gauge(self, name: str, merge: Merge) -> Family[Gauge]:
        return Family(self.region, Gauge, Declaration(name, "gauge", f"Of {name}.", (), merge=merge), 1)


def text(*workers: Worker, accept: str = "") -> str:
    return written(Exposition([worker.region for worker in workers], process=False), accept)


def written(exposition: Exposition, accept: str = "") -> str:
    return b"".join(exposition.pieces(accept)[0]).decode()


class Parsed:
    """A prometheus-client collector of what was parsed."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> list[Metric]:
        return self.families


@pytest.fixture
def worker() -> Worker:
    worker = Worker()
    worker.samples.labels(AWKWARD, "x").inc(3)
    worker.samples.labels("z", "y").inc(12_345_678)
    worker.bytes.labels().inc(0.5)
    worker.level.labels().set(float("nan"))
    worker.lowest.labels().set(float("-inf"))
    worker.highest.labels().set(float("inf"))
    worker.info.labels("1").set(1)
    worker.info.labels("0").set(0)
    for value in (0.00001, 0.1, 0.5, 99.0):
        worker.wait.labels(AWKWARD, 200).observe(value)
        worker.pause.labels().observe(value)
    return worker


def test_an_empty_region_is_an_empty_text() -> None:
    assert text(Worker()) == ""
    assert text(Worker(), accept=OPENMETRICS) == "# EOF\n"


def test_the_text_format(worker: Worker) -> None:
    lines = text(worker).splitlines()
    assert "# HELP things_total Things\\\\counted." in lines
    assert "# TYPE things_total counter" in lines
    assert 'things_total{kind="x",zone="a\\"b\\\\c\\nd é"} 3.0' in lines
    assert "bytes_total 0.5" in lines
    assert "level NaN" in lines
    assert "lowest -Inf" in lines
    assert "highest +Inf" in lines
    assert "# TYPE build_info gauge" in lines
    assert 'build_info{version="1"} 1.0' in lines
    assert not any('version="0"' in line for line in lines)
    assert [line for line in lines if line.startswith("pause_seconds")] == [
        'pause_seconds_bucket{le="5e-05"} 1.0',
        'pause_seconds_bucket{le="0.1"} 2.0',
        'pause_seconds_bucket{le="2.0"} 3.0',
        'pause_seconds_bucket{le="+Inf"} 4.0',
        "pause_seconds_count 4.0",
        "pause_seconds_sum 99.60001",
    ]
    assert 'wait_seconds_bucket{code="200",le="0.1",zone="a\\"b\\\\c\\nd é"} 2.0' in lines


def test_prometheus_client_reads_it_and_writes_the_same(worker: Worker) -> None:
    mine = text(worker)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Parsed(list(parse_text(mine))))
    assert sorted(generate_latest(registry).decode().splitlines()) == sorted(
        mine.replace("12345678.0", "1.2345678e+07").splitlines()
    )


def test_openmetrics_is_what_prometheus_client_writes(worker: Worker) -> None:
    mine = text(worker, accept=OPENMETRICS)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Parsed(list(parse_openmetrics(mine))))  # type: ignore[no-untyped-call]
    theirs = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    assert sorted(theirs.splitlines()) == sorted(mine.replace("12345678.0", "1.2345678e+07").splitlines())
    assert "# TYPE things counter" in mine
    assert "# TYPE build info" in mine
    assert mine.endswith("# EOF\n")


def test_openmetrics_has_the_last_trace_of_each_bucket(worker: Worker) -> None:
    other = Worker()
    other.wait.labels(AWKWARD, 200).observe(0.06)
    worker.traced.labels(AWKWARD, 200).set("0af7651916cd43dd8448eb211c80319c", 0.07, 1_700_000_000.5)
    other.traced.labels(AWKWARD, 200).set("f" * 32, 0.06, 1_700_000_001.25)
    worker.wait.labels("late", 200).observe(99.0)
    worker.traced.labels("late", 200).set("0" * 31 + "1", 99.0, 1_700_000_002.0)
    worker.traced.labels("no histogram", 200).set("1" * 32, 0.06, 1_700_000_001.0)
    mine = text(worker, other, accept=OPENMETRICS)
    samples = [sample for family in parse_openmetrics(mine) for sample in family.samples if sample.exemplar]  # type: ignore[no-untyped-call]
    assert [(each.name, each.labels["zone"], each.labels["le"]) for each in samples] == [
        ("wait_seconds_bucket", AWKWARD, "0.1"),
        ("wait_seconds_bucket", "late", "+Inf"),
    ]
    first, second = (each.exemplar for each in samples)
    assert (first.labels, first.value, float(first.timestamp)) == ({"trace_id": "f" * 32}, 0.06, 1_700_000_001.25)
    assert (second.labels, second.value) == ({"trace_id": "0" * 31 + "1"}, 99.0)
    assert "trace_id" not in text(worker, other)


def test_an_exemplar_that_is_being_written_is_passed_over(worker: Worker) -> None:
    worker.traced.labels(AWKWARD, 200)
    assert "trace_id" not in text(worker, accept=OPENMETRICS)
    worker.traced.labels(AWKWARD, 200).set("a" * 32, 0.06, 1_700_000_000.0)
    assert "trace_id" in text(worker, accept=OPENMETRICS)
    slots = worker.region.slots
    at = [*slots].index(0.06)
    slots[at] = 0.05
    assert "trace_id" not in text(worker, accept=OPENMETRICS)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=1.0.0;escaping=dots", "text/plain; version=0.0.4; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        (
            "application/openmetrics-text;version=nonsense;escaping=dots",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
    ],
)
def test_nothing_of_an_accept_field_is_repeated(worker: Worker, accept: str, content_type: str) -> None:
    pieces, found = Exposition([worker.region], process=False).pieces(accept)
    assert found == content_type
    assert b"things" in b"".join(pieces)


def test_a_process_adds_its_own_metrics() -> None:
    lines = written(Exposition([])).splitlines()
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    assert any(line.startswith("python_info{") for line in lines)


def test_regions_add_up() -> None:
    one, two = Worker(), Worker()
    one.samples.labels("a", "x").inc(1)
    two.samples.labels("b", "x").inc(10)
    two.samples.labels("a", "x").inc(100)
    for worker, value in ((one, 1), (two, 2)):
        worker.level.labels().set(value)
        worker.lowest.labels().set(value)
        worker.highest.labels().set(value)
        worker.info.labels("1").set(1)
        worker.pause.labels().observe(0.01 * value)
    lines = text(one, two).splitlines()
    assert 'things_total{kind="x",zone="a"} 101.0' in lines
    assert 'things_total{kind="x",zone="b"} 10.0' in lines
    assert "level 3.0" in lines
    assert "lowest 1.0" in lines
    assert "highest 2.0" in lines
    assert 'build_info{version="1"} 1.0' in lines
    assert 'pause_seconds_bucket{le="0.1"} 2.0' in lines
    assert "pause_seconds_count 2.0" in lines
    assert "pause_seconds_sum 0.03" in lines
    assert sum(line.startswith("# TYPE things_total") for line in lines) == 1


def test_histograms_with_other_buckets_add_up_in_the_first_ones() -> None:
    """As during a reload that changes them. What is known to be below a bound stays below it."""
    old, new = Worker(buckets=(0.1, 1.0)), Worker(buckets=(0.05, 0.5, 1.0, 5.0))
    old.pause.labels().observe(0.07)
    for value in (0.01, 0.3, 0.7, 3.0, 9.0):
        new.pause.labels().observe(value)
    lines = text(old, new).splitlines()
    assert 'pause_seconds_bucket{le="0.1"} 2.0' in lines
    assert 'pause_seconds_bucket{le="1.0"} 4.0' in lines
    assert 'pause_seconds_bucket{le="+Inf"} 6.0' in lines
    assert "pause_seconds_count 6.0" in lines


def test_a_reader_follows_series_that_begin_later() -> None:
    worker = Worker()
    exposition = Exposition([worker.region], process=False)
    assert written(exposition) == ""
    worker.samples.labels("a", "x").inc()
    assert 'things_total{kind="x",zone="a"} 1.0' in written(exposition)
    worker.samples.labels("a", "x").inc()
    worker.samples.labels("b", "x").inc()
    again = written(exposition)
    assert 'things_total{kind="x",zone="a"} 2.0' in again
    assert 'things_total{kind="x",zone="b"} 1.0' in again


def test_many_series_come_in_pieces_and_survive_a_reader_that_gives_up() -> None:
    worker = Worker()
    for n in range(1000):
        worker.samples.labels(n, "a kind with a name that makes for many bytes").inc()
    exposition = Exposition([worker.region], process=False)
    abandoned, _ = exposition.pieces("")
    next(abandoned)
    abandoned.close()
    pieces = [piece for piece in exposition.pieces("")[0] if piece]
    assert max(len(piece) for piece in pieces) < 40_000
    assert b"".join(pieces).count(b"things_total{") == 1000


def test_what_changes_between_two_pieces_is_seen_by_the_next_reader() -> None:
    worker = Worker()
    for n in range(1000):
        worker.samples.labels(n, "50 % of a kind with a name that makes for many bytes").inc()
    exposition = Exposition([worker.region], process=False)
    pieces, _ = exposition.pieces("")
    begun = [piece for _, piece in zip(range(60), pieces, strict=False)]
    exposition.show({"zone": frozenset(("1", "999"))})
    assert b"".join([*begun, *pieces]).count(b"things_total{") == 1000
    worker.samples.labels(999, "50 % of a kind with a name that makes for many bytes").inc()
    assert [line.rpartition(" ")[2] for line in written(exposition).splitlines() if not line.startswith("#")] == [
        "1.0",
        "2.0",
    ]


def test_a_successor_in_the_same_region_loses_no_counts() -> None:
    worker = Worker()
    worker.samples.labels("a", "x").inc(5)
    worker.level.labels().set(3)
    exposition = Exposition([worker.region], process=False)
    written(exposition)
    successor = Worker(region=Region(worker.region.memory, 2000))
    successor.samples.labels("a", "x").inc()
    lines = written(exposition).splitlines()
    assert 'things_total{kind="x",zone="a"} 6.0' in lines
    assert not any(line.startswith("level ") for line in lines)
    successor.level.labels().inc()
    assert "level 1.0" in written(exposition).splitlines()
