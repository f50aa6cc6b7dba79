"""Programs under test: started on ports of their own, pinned to a core, their CPU time read, ended by their ids."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

READY_WITHIN_S = 60.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_CORES = sorted(os.sched_getaffinity(0))
SERVED_CORE, LOAD_CORE, ANY_CORE = str(_CORES[0]), str(_CORES[-1]), ",".join(map(str, _CORES))

APT_PACKAGES = Path(__file__).with_name("apt-packages.txt")
_PACKAGE_OF = {"perf": "linux-perf", "callgrind_control": "valgrind"}


def path_of(name: str) -> str | None:
    """The path of a program, None if it is not installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def program(name: str) -> str:
    """The path of a program. Raises SystemExit with what to install."""
    found = path_of(name)
    if found is None:
        raise SystemExit(missing(name))
    return found


def missing(name: str) -> str:
    """A sentence that says what to install for a program or a package that is not there."""
    return f"The benchmark needs {name}: apt-get install --no-install-recommends {_PACKAGE_OF.get(name, name)} (all that it can use: {APT_PACKAGES})."


class Program:
    """A running program and its children."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def cpu_s(self) -> float:
        """User and system time so far of all its processes, those that have ended included."""
        return sum(cpu_s(pid, ended=True) for pid in self.tree())

    def rss_bytes(self) -> int:
        """Resident memory of all its processes; what they share is counted for each of them."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.tree())
        return pages * os.sysconf("SC_PAGE_SIZE")

    def children(self) -> list[int]:
        return children(self.process.pid)

    def tree(self) -> list[int]:
        """Its process, its children, theirs and so on."""
        found = [self.process.pid]
        for pid in found:
            found += children(pid)  # the loop goes on over what is added
        return found


def children(parent: int) -> list[int]:
    """The ids of the processes that it has started and that still are."""
    found = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for each in found for pid in each.read_text().split()]


def cpu_s(pid: int, *, ended: bool = False) -> float:
    """User and system time of one process so far; with `ended`, that of its children that have ended, too."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, stat[11 : 15 if ended else 13])) / _TICKS_PER_S


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    core: str,
    *,
    log: Path | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    ready_s: float = READY_WITHIN_S,
) -> Iterator[Program]:
    """`command` pinned to `core`, from when `port` answers, within `ready_s`, until the end of the block.

    It runs in `folder`, with `environ` on top of the environment, and what it prints goes to the file `log`.
    """
    with (log or Path(os.devnull)).open("ab") as printed:
        process = subprocess.Popen(
            ["taskset", "-c", core, *command],
            stdout=printed,
            stderr=subprocess.PIPE if log is None else subprocess.STDOUT,
            start_new_session=True,
            cwd=folder,
            env={**os.environ, **(environ or {})},
        )
    try:
        _await_port(process, port, log, ready_s)
        yield Program(process, port)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path | None, ready_s: float) -> None:
    deadline = time.monotonic() + ready_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            printed = process.stderr.read() if process.stderr else log.read_bytes() if log else b""
            raise SystemExit(f"{process.args!r} ended: {printed.decode(errors='replace')[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            continue
        return
    raise SystemExit(f"{process.args!r} does not listen on port {port}")


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
