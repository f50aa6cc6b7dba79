"""Programs under test: started on ports of their own, pinned to a core, their CPU time read, ended by their ids."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

READY_WITHIN_S = 20.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

SERVED_CORE, LOAD_CORE, ANY_CORE = "0", "1", "0,1"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """The path of a program. Raises SystemExit with what to install."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise SystemExit(f"the benchmark needs {name}: apt-get install {'nginx-light' if name == 'nginx' else name}")
    return found


class Program:
    """A running program and its children."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def cpu_s(self) -> float:
        """User and system time so far, children included."""
        return sum(cpu_s(pid) for pid in [self.process.pid, *self.children()])

    def children(self) -> list[int]:
        found = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for children in found for pid in children.read_text().split()]


def cpu_s(pid: int) -> float:
    """User and system time of one process so far."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / _TICKS_PER_S


@contextmanager
def running(command: Sequence[str], port: int, core: str) -> Iterator[Program]:
    """`command` pinned to `core`, from when `port` answers until the end of the block."""
    process = subprocess.Popen(["taskset", "-c", core, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        _await_port(process, port)
        yield Program(process, port)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            raise SystemExit(f"{process.args!r} ended: {process.stderr.read().decode(errors='replace')[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            continue
        return
    raise SystemExit(f"{process.args!r} does not listen on port {port}")


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
