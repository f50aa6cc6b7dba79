"""The process and its surroundings: signals at any time, orphans of process 1, and its arguments and environment."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.system.signals import IGNORED, name_of
from tests.fakes import reply, until
from tests.gateway_process import GatewayProcess, configuration, running
from tests.journeys.backends import Service, requesting
from tests.raw_client import RawClient

GATEWAY = [sys.executable, "-m", "gateway"]
ENDS_WITHIN_S = 15.0
ROOT = os.geteuid() == 0
NAMESPACE = [
    "unshare",
    *([] if ROOT else ["--user", "--map-root-user"]),
    "--pid",
    "--fork",
    "--kill-child=SIGKILL",
    "--mount-proc",
]


def written(folder: Path) -> Path:
    file = folder / "gateway.yaml"
    file.write_text(configuration(9))
    return file


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ready(worker: int) -> bool:
    """Whether it has come to where it serves: its threads write the log."""
    return len([*Path(f"/proc/{worker}/task").iterdir()]) > 1


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def first_process(*command: str, output: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """One that is process 1 of a namespace, and its id here."""
    with output.open("wb") as file, subprocess.Popen([*NAMESPACE, *command], stdout=file, stderr=file) as process:
        try:
            while not (found := children(process.pid)):
                assert process.poll() is None
            yield process, found[0]
        finally:
            process.kill()  # the first process of the namespace goes with it, and with that one all others


@contextmanager
def started(*command: str, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """In a session of its own, which ends with the block."""
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def handles(pid: int, number: int, how: str = "SigCgt") -> bool:
    """Whether a process catches a signal, or ignores it (`how` is "SigIgn")."""
    found = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(how))
    return bool(int(found.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
async def test_as_process_1_it_ends_at_every_signal_to_stop(tmp_path: Path, number: int) -> None:
    file, output = written(tmp_path), tmp_path / "output"
    for waits in (0.0, 0.1, 0.3, 0.6):
        with first_process(*GATEWAY, "run", "-c", str(file), output=output) as (process, pid):
            await until(lambda pid=pid: handles(pid, signal.SIGQUIT), ENDS_WITHIN_S)  # type: ignore[misc]
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, waits)
            os.kill(pid, number)
            assert await asyncio.to_thread(process.wait, ENDS_WITHIN_S) == 0


def test_it_has_handlers_before_it_imports_what_takes_time() -> None:
    output = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv[1:] = ['run']\nimport gateway.system.signals as s; s.install_early_handlers(sys.argv); print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"click", "asyncio", "pydantic", "structlog", "aiohttp"} & {*output.stdout.split()}


async def test_other_commands_as_process_1_end_too(tmp_path: Path) -> None:
    with first_process(*GATEWAY, "demo", output=tmp_path / "output") as (process, pid):
        await until(lambda: handles(pid, signal.SIGTERM), ENDS_WITHIN_S)
        os.kill(pid, signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, ENDS_WITHIN_S) == 128 + signal.SIGTERM


async def test_as_process_1_it_buries_orphans(tmp_path: Path) -> None:
    file, output = written(tmp_path), tmp_path / "output"
    with first_process(*GATEWAY, "run", "-c", str(file), output=output) as (process, pid):
        await until(lambda: b'"started"' in output.read_bytes(), ENDS_WITHIN_S)
        workers = children(pid)
        inside = [str(shutil.which("nsenter")), "-t", str(pid), *([] if ROOT else ["-U"]), "-p", "-m"]
        await asyncio.to_thread(
            subprocess.run, [*inside, "sh", "-c", "for i in 1 2 3; do (sleep 0.3 &); done"], check=True
        )
        await until(lambda: len(children(pid)) > len(workers))
        await until(lambda: children(pid) == workers)
        os.kill(workers[0], signal.SIGKILL)  # and it still knows whose end is its affair
        await until(lambda: b'"worker ended"' in output.read_bytes())
        await until(lambda: len(children(pid)) == 1 and children(pid) != workers)
        os.kill(pid, signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, ENDS_WITHIN_S) == 0


async def test_children_of_a_shell_that_used_exec_are_reaped(tmp_path: Path) -> None:
    output = tmp_path / "output"
    command = ["sh", "-c", 'sleep 0.1 & exec "$@"', "sh", *GATEWAY, "run", "-c", str(written(tmp_path))]
    with output.open("wb") as file, started(*command, stdout=file) as process:
        await until(lambda: b'"started"' in output.read_bytes(), ENDS_WITHIN_S)
        await until(lambda: len(children(process.pid)) == 1)
        process.terminate()
        assert await asyncio.to_thread(process.wait, ENDS_WITHIN_S) == 0


async def test_signals_that_mean_nothing_here_leave_a_line_and_nothing_else(tmp_path: Path) -> None:
    async with Service() as service:
        service.on("/v1/x", reply())
        with running(configuration(service.port), tmp_path) as gateway:
            (worker,) = children(gateway.pid)
            for number in IGNORED:
                gateway.signal(number)
                os.kill(worker, number)
            await until(
                lambda: all(any(f'"{name_of(number)}"' in line for line in gateway.lines) for number in IGNORED)
            )
            for number in (
                signal.SIGWINCH,
                signal.SIGURG,
                signal.SIGCONT,
                signal.SIGPIPE,
                signal.SIGCHLD,
                signal.SIGXFSZ,
            ):
                gateway.signal(number)
                os.kill(worker, number)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2):
                os.kill(worker, number)  # a service manager sends them to all of a group
            for pid in (gateway.pid, worker):
                os.kill(pid, signal.SIGSTOP)
                await until(lambda pid=pid: state(pid) == "T")  # type: ignore[misc]
                os.kill(pid, signal.SIGCONT)
            async with await RawClient.connect(gateway.port) as client:
                await client.send(requesting("GET", "/v1/x"))
                assert (await client.reply()).status == 200
            assert children(gateway.pid) == [worker]
            gateway.signal(signal.SIGQUIT)
            await gateway.line(lambda line: '"draining"' in line)
            assert await asyncio.to_thread(gateway.wait) == 0


def test_the_ignored_ones_are_those_that_would_end_it() -> None:
    names = {name_of(number) for number in IGNORED}
    assert {
        "SIGUSR1",
        "SIGALRM",
        "SIGVTALRM",
        "SIGPROF",
        "SIGIO",
        "SIGPWR",
        "SIGXCPU",
        "SIGRTMIN+1",
        "SIGRTMAX",
    } <= names
    assert not {"SIGTERM", "SIGHUP", "SIGUSR2", "SIGSEGV", "SIGABRT", "SIGKILL", "SIGCHLD", "SIGTSTP"} & names


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM])
async def test_while_it_starts_nothing_else_ends_it(tmp_path: Path, number: int) -> None:
    with started(*GATEWAY, "run", "-c", str(written(tmp_path)), stdout=subprocess.PIPE) as process:
        last = IGNORED[-1]  # the one that is set after all others
        await until(lambda: handles(process.pid, last, "SigIgn"), ENDS_WITHIN_S)
        process.send_signal(number)
        gateway = await asyncio.to_thread(GatewayProcess, process)
        if number == signal.SIGHUP:  # somebody has asked for a reload, and gets it
            await gateway.line(lambda line: '"reloaded"' in line)
        assert gateway.admin("/readyz")[0] == 200
        assert await asyncio.to_thread(gateway.terminate) == 0


async def test_who_stops_it_while_it_starts_reads_so(tmp_path: Path) -> None:
    with started(*GATEWAY, "run", "-c", str(written(tmp_path)), stderr=subprocess.PIPE) as process:
        await until(lambda: handles(process.pid, signal.SIGTERM), ENDS_WITHIN_S)
        process.terminate()
        _, output = await asyncio.to_thread(process.communicate, None, ENDS_WITHIN_S)
        assert (process.returncode, output) == (0, b"gateway: stopped by SIGTERM before it served\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
async def test_what_is_closed_of_its_standard_descriptors_leads_nowhere(tmp_path: Path, closed: str) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *GATEWAY, "run", "-c", str(written(tmp_path))]
    with started(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as process:
        await until(lambda: len(children(process.pid)) == 1, ENDS_WITHIN_S)
        await until(lambda: ready(children(process.pid)[0]), ENDS_WITHIN_S)
        for pid in (process.pid, *children(process.pid)):
            assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)] == ["/dev/null"] * 3  # noqa: PTH115  what it is called
        process.send_signal(signal.SIGUSR1)  # a line of the log
        process.terminate()
        assert await asyncio.to_thread(process.wait, ENDS_WITHIN_S) == 0


def test_two_of_three_are_kept_as_they_are() -> None:
    program = """
import os, sys
from gateway.system.stdio import open_missing_streams
os.close(1)
sys.stdout = None
open_missing_streams()
print("lost")
sys.stderr.write(os.readlink("/proc/self/fd/1"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "/dev/null")
