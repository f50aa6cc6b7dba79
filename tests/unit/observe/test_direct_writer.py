import fcntl
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.observe.direct_writer import DirectWriter


class Pipe:
    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def fill(self) -> int:
        """How many bytes went in."""
        os.set_blocking(self.writing, False)
        total = 0
        try:
            while True:
                total += os.write(self.writing, b"x" * select.PIPE_BUF)
        except BlockingIOError:
            os.set_blocking(self.writing, True)
            return total

    def read(self, size: int = 1 << 20) -> bytes:
        return os.read(self.reading, size)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.reading)
    os.close(made.writing)


def test_lines_are_there_at_once_and_in_order(pipe: Pipe) -> None:
    writer = DirectWriter(pipe.writing)
    writer.start()
    writer.put(b"one\n")
    writer.put_from_anywhere(b"two\n")
    assert pipe.read() == b"one\ntwo\n"
    assert writer.close(0.0)


def test_a_full_pipe_is_not_waited_for(pipe: Pipe) -> None:
    writer = DirectWriter(pipe.writing, capacity_bytes=10)
    size = pipe.fill()
    writer.put(b"one\n")
    writer.put(b"two\n")
    writer.put(b"too much\n")
    assert (writer.flush(), writer.dropped) == (False, 1)
    assert not writer.close(0.01)
    while size:
        size -= len(pipe.read(size))
    assert writer.flush()
    assert pipe.read() == b"one\ntwo\n"
    assert "0 bytes waiting, 1 lines dropped" in repr(writer)


def test_another_process_s_lock_is_waited_for(pipe: Pipe) -> None:
    asks, text = os.pipe()
    child = os.fork()
    if not child:
        fcntl.lockf(pipe.writing, fcntl.LOCK_EX)
        os.write(text, b"!")
        os.read(asks, 0)
        select.select([], [], [], 30)
        os._exit(0)
    os.read(asks, 1)
    writer = DirectWriter(pipe.writing)
    writer.put(b"mine\n")
    assert not writer.flush()
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert writer.flush()
    assert pipe.read() == b"mine\n"
    os.close(asks)
    os.close(text)


def test_a_long_line_is_written_whole_into_a_file(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        DirectWriter(file.fileno()).put(b"y" * 100_000 + b"\n")
    assert (tmp_path / "log").stat().st_size == 100_001


def test_what_nobody_can_ever_read_is_counted() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = DirectWriter(writing)
    writer.put(b"lost\n")
    assert (writer.flush(), writer.dropped) == (True, 1)
    os.close(writing)


def test_lines_for_a_closed_output_are_counted_as_lost() -> None:
    reading, writing = os.pipe()
    writer = DirectWriter(writing)
    os.close(writing)
    writer.put(b"one\n")
    assert writer.dropped == 1
    os.close(reading)
