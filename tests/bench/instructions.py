"""Instructions for a request, in user mode: counted by the processor (perf), or by callgrind where perf cannot."""

import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from tests.bench.peers import GATEWAYS, Peer, peer, site
from tests.bench.processes import missing, path_of, program
from tests.bench.revision import Code
from tests.bench.scenarios import Scenario
from tests.bench.traffic import Answers, Asking, written

EVENT = "instructions:u"
SECONDS = {"perf": (1, 3), "callgrind": (3, 12)}
"""Of a short and a long load. Their difference counts: connections are opened and requests cut off in both.

What a peer does in that time without requests is subtracted, as it weighs fifty times as much where all is slower.
"""
WARM_UPS = 3
"""Short loads before, which send the requests that are counted: servers remember what comes again."""
CONNECTIONS = 64
"""At most: callgrind makes everything some fifty times slower."""

Counted = dict[tuple[str, str], float]
"""By the names of scenario and peer."""


def tool() -> str:
    """Which of the two can count here. Raises SystemExit when there is none."""
    if path_of("perf"):
        done = subprocess.run(
            [program("perf"), "stat", "-x,", "-e", EVENT, "true"], capture_output=True, text=True, check=False
        )
        if re.match(r"\d+,", done.stderr.strip()):
            return "perf"
    if path_of("valgrind") is None:
        raise SystemExit(missing("valgrind"))
    return "callgrind"


def counted(names: Sequence[str], codes: Sequence[Code], scenarios: Sequence[Scenario], key_count: int) -> Counted:
    """Run the peers one after the other. LuaJIT does not run under callgrind, so the Lua gateway is left out there."""
    by = tool()
    found: Counted = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        under = (
            "valgrind",
            "--tool=callgrind",
            "--trace-children=yes",
            "--instr-atstart=no",
            f"--callgrind-out-file={folder}/callgrind.%p",
        )
        with site(folder, key_count, under if by == "callgrind" else ()) as at:
            for each, code in [(name, code) for name in names for code in (codes if name in GATEWAYS else codes[:1])]:
                if each.startswith("lua") and by == "callgrind":
                    continue
                with peer(at, each, code) as running:
                    for name, count in _counts(running, scenarios, folder, by).items():
                        found[name, running.name] = count
    return found


def _counts(peer: Peer, scenarios: Sequence[Scenario], folder: Path, by: str) -> dict[str, float]:
    """Return the instructions for a request, by the name of the scenario."""
    few_connections = [replace(each, connections=min(each.connections, CONNECTIONS)) for each in scenarios]
    files = {scenario: written(scenario, folder) for scenario in few_connections}
    short, long = SECONDS[by]
    watched = _by_callgrind if by == "callgrind" else _by_perf

    def loaded(scenario: Scenario, seconds: int) -> tuple[int, int]:
        return watched(peer, folder, lambda: _load(peer, scenario, files[scenario], seconds).all_replies)

    for scenario in few_connections:
        for _ in range(WARM_UPS):
            _load(peer, scenario, files[scenario], short)
    if by == "callgrind":
        _control("--instr=on", peer.program.tree())
    idle, _ = watched(peer, folder, lambda: Event().wait(long - short))
    found: dict[str, float] = {}
    for scenario in few_connections:
        _load(peer, scenario, files[scenario], short)  # callgrind translates what runs for the first time
        (less, few), (more, many) = loaded(scenario, short), loaded(scenario, long)
        found[scenario.name] = (more - less - idle) / (many - few)
    return found


def _load(peer: Peer, scenario: Scenario, file: Path, seconds: int) -> Answers:
    answers = Asking(scenario, file, peer.tls_port if scenario.tls else peer.port, seconds, 0).end()
    if answers.failures or not answers.all_replies:
        raise SystemExit(f"{scenario.name}, {peer.name}: {answers}")
    return answers


def _by_perf(peer: Peer, folder: Path, during: Callable[[], int]) -> tuple[int, int]:
    """Return the instructions of a peer while `during` runs, and what that returns."""
    output, pids = folder / "perf.csv", ",".join(map(str, peer.program.tree()))
    command = [program("perf"), "stat", "-x,", "-e", EVENT, "-o", str(output), "-p", pids]
    with subprocess.Popen(command) as perf:
        try:
            result = during()
        finally:
            perf.send_signal(signal.SIGINT)
    found = re.search(r"^(\d+),", output.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit(f"perf counted nothing: {output.read_text()}")
    return int(found[1]), result


def _by_callgrind(peer: Peer, folder: Path, during: Callable[[], int]) -> tuple[int, int]:
    """Return what `_by_perf` does."""
    before, pids = set(folder.glob("callgrind.*")), peer.program.tree()
    _control("--zero", pids)
    result = during()
    _control("--dump", pids)
    dumps = set(folder.glob("callgrind.*")) - before
    totals = [int(total) for dump in dumps for total in re.findall(r"^totals: (\d+)", dump.read_text(), re.MULTILINE)]
    return sum(totals), result


def _control(command: str, pids: list[int]) -> None:
    for pid in pids:
        done = subprocess.run(
            [program("callgrind_control"), command, str(pid)], capture_output=True, text=True, check=False, timeout=120
        )
        if "OK" not in done.stdout:
            raise SystemExit(f"callgrind_control {command} {pid}: {done.stdout}{done.stderr}")
