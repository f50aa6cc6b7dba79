"""Real pipes; the thread is waited for by reading what it writes or by closing the writer."""

import os
import threading
from collections.abc import Iterator

import pytest

from gateway.observe.writer import Writer

GENEROUS_S = 10.0


class Pipe:
    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self._open = {self.read_end, self.write_end}

    def read_all(self) -> bytes:
        """Until every writer has closed."""
        self.close(self.write_end)
        pieces = []
        while piece := os.read(self.read_end, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces)

    def close(self, *ends: int) -> None:
        for end in ends or tuple(self._open):
            if end in self._open:
                self._open.remove(end)
                os.close(end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def read_lines(fd: int, count: int) -> bytes:
    found = b""
    while found.count(b"\n") < count:
        found += os.read(fd, 1 << 16)
    return found


def test_lines_come_out_in_order(pipe: Pipe) -> None:
    writer = Writer(pipe.write_end, interval_s=0.001)
    writer.start()
    writer.start()
    sent = [b"%d\n" % n for n in range(3000)]
    reader = threading.Thread(target=lambda: found.append(read_lines(pipe.read_end, 3000)))
    found: list[bytes] = []
    reader.start()
    for line in sent:
        writer.put(line)
    reader.join(GENEROUS_S)
    assert found == [b"".join(sent)]
    assert writer.close(GENEROUS_S)
    assert writer.dropped == 0


def test_a_sleeping_writer_wakes_for_one_line(pipe: Pipe) -> None:
    writer = Writer(pipe.write_end, interval_s=0.001)
    writer.start()
    for n in range(200):
        writer.put(b"%d\n" % n)
        assert os.read(pipe.read_end, 100) == b"%d\n" % n
    assert writer.close(GENEROUS_S)


def test_lines_from_before_the_start_and_of_a_writer_never_started_are_written(pipe: Pipe) -> None:
    writer = Writer(pipe.write_end)
    writer.put(b"early\n")
    assert repr(writer) == f"<Writer fd {pipe.write_end}, 6 bytes waiting, 0 lines dropped>"
    assert writer.close(GENEROUS_S)
    assert pipe.read_all() == b"early\n"


def test_a_pipe_that_nobody_reads_costs_lines_and_never_blocks(pipe: Pipe) -> None:
    writer = Writer(pipe.write_end, capacity_bytes=200_000, interval_s=0.001)
    writer.start()
    line = b"x" * 99 + b"\n"
    for _ in range(10_000):
        writer.put(line)
    dropped = writer.dropped
    assert dropped >= 10_000 - (200_000 + 200_000) // 100
    assert writer.waiting_bytes <= 200_000

    reader = threading.Thread(target=lambda: found.append(read_lines(pipe.read_end, 10_000 - dropped)))
    found: list[bytes] = []
    reader.start()
    assert writer.close(GENEROUS_S)
    reader.join(GENEROUS_S)
    assert found == [line * (10_000 - dropped)]
    assert writer.dropped == dropped


def test_closing_is_bounded_when_nobody_reads(pipe: Pipe) -> None:
    writer = Writer(pipe.write_end, interval_s=0.001)
    writer.start()
    for _ in range(3000):
        writer.put(b"x" * 99 + b"\n")
    assert not writer.close(0.05)
    writer.put(b"late\n")
    writer.put_from_anywhere(b"late\n")
    assert writer.dropped == 2
    pipe.close(pipe.read_end)
    assert writer.close(GENEROUS_S)
    assert writer.dropped > 2


def test_a_reader_that_leaves_costs_lines_and_nothing_else(pipe: Pipe) -> None:
    writer = Writer(pipe.write_end, interval_s=0.001)
    writer.start()
    pipe.close(pipe.read_end)
    for _ in range(10):
        writer.put(b"x\n")
    writer.put_from_anywhere(b"y\n")
    assert writer.close(GENEROUS_S)
    assert writer.dropped == 11
    assert writer.waiting_bytes == 0


def test_a_pipe_that_somebody_made_non_blocking_loses_nothing(pipe: Pipe) -> None:
    os.set_blocking(pipe.write_end, False)
    writer = Writer(pipe.write_end, interval_s=0.001)
    writer.start()
    lines = [b"%0999d\n" % n for n in range(1000)]
    for line in lines:
        writer.put(line)
    assert read_lines(pipe.read_end, 1000) == b"".join(lines)
    assert writer.close(GENEROUS_S)
    assert writer.dropped == 0


def test_lines_of_many_threads_do_not_mix(pipe: Pipe) -> None:
    writer = Writer(pipe.write_end, interval_s=0.001)
    writer.start()

    def put(name: bytes) -> None:
        for n in range(500):
            writer.put_from_anywhere(b"%s %d\n" % (name * 20, n))

    threads = [threading.Thread(target=put, args=(name,)) for name in (b"a", b"b", b"c")]
    reader = threading.Thread(target=lambda: found.append(read_lines(pipe.read_end, 2000)))
    found: list[bytes] = []
    for thread in (reader, *threads):
        thread.start()
    for n in range(500):
        writer.put(b"%s %d\n" % (b"loop", n))
    for thread in (*threads, reader):
        thread.join(GENEROUS_S)
    assert writer.close(GENEROUS_S)
    lines = found[0].splitlines()
    for name in (b"a" * 20, b"b" * 20, b"c" * 20, b"loop"):
        assert [line for line in lines if line.startswith(name)] == [b"%s %d" % (name, n) for n in range(500)]
    assert len(lines) == 2000


def test_an_output_that_can_be_neither_locked_nor_written_costs_lines(pipe: Pipe) -> None:
    writer = Writer(pipe.read_end, interval_s=0.001)
    writer.put(b"x\n")
    assert writer.close(GENEROUS_S)
    assert (writer.dropped, writer.waiting_bytes) == (1, 0)
