"""The load: keys, files of requests drawn from them, and wrk, which sends them."""

import hashlib
import json
import random
import subprocess
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from tests.bench.processes import LOAD_CORE, program
from tests.bench.scenarios import MANY_KEYS, SPENT_KEYS, TEN_KEYS, ZIPF_KEYS, Callers, Scenario

REQUESTS = 32_768
"""In a file. They are sent again from the beginning when they are used up."""
PATHS = 1_000
_ASK = Path(__file__).parent / "lua" / "ask.lua"


class Key(NamedTuple):
    """`most` calls in `per_s` seconds."""

    id: str
    secret: str
    organization: str
    most: int
    per_s: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()


def keys(count: int) -> list[Key]:
    """So many that nobody limits, and those whose limit is spent with the first call."""
    wide = [Key(f"caller{n}", secret(f"caller{n}"), f"org{n % 100}", 1_000_000, 60) for n in range(count)]
    return wide + [Key(f"spent{n}", secret(f"spent{n}"), "org0", 1, 86_400) for n in range(SPENT_KEYS)]


def secret(name: str) -> str:
    """The key of a caller, of the length that keys have."""
    return "gw_" + hashlib.sha256(f"benchmark {name}".encode()).hexdigest()[:40]


def names(callers: Callers, chance: random.Random) -> list[str]:
    """Of the callers of a file of requests, in order."""
    if callers == "zipf":
        weights = list(accumulate(1 / rank for rank in range(1, ZIPF_KEYS + 1)))
        return [f"caller{n}" for n in chance.choices(range(ZIPF_KEYS), cum_weights=weights, k=REQUESTS)]
    kind, count = {
        "ten": ("caller", TEN_KEYS),
        "many": ("caller", MANY_KEYS),
        "spent": ("spent", SPENT_KEYS),
        "unknown": ("unknown", ZIPF_KEYS),
    }[callers]
    found = [f"{kind}{n % count}" for n in range(REQUESTS)]
    chance.shuffle(found)
    return found


def requests(scenario: Scenario, chance: random.Random) -> Iterator[tuple[str, str]]:
    """The key and the path of each request of a file."""
    for name in names(scenario.callers, chance):
        yield secret(name), f"{scenario.path}{chance.randrange(PATHS)}"


def written(scenario: Scenario, folder: Path) -> Path:
    """The file of the scenario's requests, the same at each run."""
    file = folder / f"{scenario.name}.requests"
    file.write_text("".join(f"{key} {path}\n" for key, path in requests(scenario, random.Random(scenario.name))))
    return file


class Answers(NamedTuple):
    """Result of a load: `replies` since all connections stood, the rest since its start; `refusals` are 4xx/5xx."""

    replies: int
    all_replies: int
    refusals: int
    failures: int
    seconds: float
    p50_ms: float
    p99_ms: float


class Asking:
    """One load on one port. `stands` returns when every connection has had a reply, `end` returns the result."""

    def __init__(self, scenario: Scenario, file: Path, port: int, seconds: int, first: int) -> None:
        seconds = max(seconds, scenario.least_s)
        scheme, close = ("https" if scenario.tls else "http"), ("close" if scenario.close else "keep")
        self._scenario = scenario
        self._command = [
            *(
                "taskset",
                "-c",
                LOAD_CORE,
                program("wrk"),
                "-t1",
                f"-c{scenario.connections}",
                f"-d{seconds}s",
                "--timeout",
                "30s",
            ),
            *("-s", str(_ASK), f"{scheme}://127.0.0.1:{port}"),
            *("--", str(file), scenario.method, close, str(first), str(2 * scenario.connections)),
        ]
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._printed: list[str] = []

    def stands(self) -> bool:
        """Whether it got so far before the load ended."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == "mark\n":
                return True
            self._printed.append(line)
        return False

    def end(self) -> Answers:
        """Raises SystemExit when the load did not run to its end."""
        output = "".join(self._printed) + self._process.communicate(timeout=60)[0]
        last = output.rstrip().rpartition("\n")[2]
        if not last.startswith("{"):
            raise SystemExit(f"{self._command} failed:\n{output}")
        found = json.loads(last)
        return Answers(
            all_replies=found["replies"], **found | {"replies": found["replies"] - self._scenario.connections}
        )
