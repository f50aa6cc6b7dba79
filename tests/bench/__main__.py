"""python -m tests.bench: the cost of a request, compared with nginx, Lua in nginx, a proxy in Python, or a revision.

Each peer has one core, and load, service and Redis have the other. In each round every scenario asks every peer, in
random order, and a peer is compared with the plain proxy of the same round, so that a noisy minute falls on both. CPU
is user and system time of all of a peer's processes, from when all connections stand; latencies are those of as much
load as it takes.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from subprocess import TimeoutExpired

from tests.bench import chart, instructions, report
from tests.bench.compiled import add_option
from tests.bench.peers import BASE, GATEWAYS, PEERS, SOURCES, peer, site
from tests.bench.processes import program
from tests.bench.revision import Code, checked_out, here
from tests.bench.rounds import Samples, measured
from tests.bench.scenarios import COUNTED, MANY_KEYS, QUICK, SCENARIOS, ZIPF_KEYS, Scenario

RESULTS = Path(__file__).parent
ROUNDS, SAVED_ROUNDS = 7, 12


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--scenarios",
        type=_names(SCENARIOS),
        metavar="A,B",
        help=f"or `all`; left out: {','.join(QUICK)}, with --save all",
    )
    parser.add_argument(
        "--peers",
        type=_names(PEERS),
        metavar="A,B",
        help=f"of {','.join(PEERS)}; left out: all, with --compare those that change",
    )
    parser.add_argument(
        "--rounds",
        type=_positive,
        help=f"left out: {ROUNDS}, with --save {SAVED_ROUNDS}, which take some 25 minutes",
    )
    parser.add_argument("--seconds", type=_positive, default=1, help="of load, for each peer, scenario and round")
    parser.add_argument("--compare", metavar="REV", help="the gateway of another revision runs in the same rounds")
    parser.add_argument(
        "--python", default=sys.executable, help="the interpreter that runs the gateways; left out: this one"
    )
    add_option(parser)
    parser.add_argument("--instructions", action="store_true", help="count instructions for a request, too")
    parser.add_argument("--seed", type=int, help="of the order of rounds")
    parser.add_argument(
        "--save",
        nargs="?",
        type=Path,
        const=RESULTS,
        metavar="FOLDER",
        help="measure everything, count instructions, and write results.json and results.svg, here if no folder is named",
    )
    parser.add_argument("--json", action="store_true", help="print the figures for a machine")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a goal is missed")
    parser.add_argument("--list", action="store_true", help="name scenarios and peers, and end")
    chosen = parser.parse_args(arguments)
    chosen.rounds = chosen.rounds or (SAVED_ROUNDS if chosen.save else ROUNDS)
    chosen.scenarios = chosen.scenarios or list(SCENARIOS if chosen.save else QUICK)
    return chosen


def main() -> int:
    chosen = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the programs are ended, and the rounds so far reported
    if chosen.list:
        print(*[f"{each.name:10} {each.about}" for each in SCENARIOS.values()], sep="\n", end="\n\n")
        print(*[f"{name:10} {about}" for name, about in PEERS.items()], sep="\n")
        return 0
    scenarios = [SCENARIOS[name] for name in chosen.scenarios]
    if chosen.peers:
        scenarios = [replace(each, without=frozenset()) for each in scenarios]
    names = chosen.peers or ([BASE, *GATEWAYS] if chosen.compare else list(PEERS))
    for needed in ("nginx", "wrk", *(["redis-server"] if set(names) - {BASE, "embedded", SOURCES} else [])):
        program(needed)
    if chosen.save or chosen.instructions:
        instructions.tool()
    found = run(chosen, scenarios, [BASE, *(name for name in names if name != BASE)])
    if chosen.save:
        chosen.save.mkdir(parents=True, exist_ok=True)
        (chosen.save / "results.json").write_text(json.dumps(found, indent=1) + "\n")
        (chosen.save / "results.svg").write_text(chart.svg(found))
    print(json.dumps(found) if chosen.json else report.text(found))
    for failure in found["failures"]:
        print(failure, file=sys.stderr)
    return exit_code(found, strict=chosen.strict)


def exit_code(found: report.Results, *, strict: bool) -> int:
    """1 when something could not be measured, or with `strict` when a goal is missed."""
    return int(bool(found["failures"]) or (strict and bool(report.missed(found))))


def run(chosen: argparse.Namespace, scenarios: list[Scenario], names: list[str]) -> report.Results:
    """All rounds. Says on standard error how far they are."""
    count = MANY_KEYS if any(scenario.callers == "many" for scenario in scenarios) else ZIPF_KEYS
    with ExitStack() as trees:
        codes: list[Code] = [here(chosen.python, sources=chosen.sources)]
        if chosen.compare:
            codes.append(trees.enter_context(checked_out(chosen.compare, chosen.python, sources=chosen.sources)))
        if not codes[0].compiled and not chosen.peers:
            names = [name for name in names if name != SOURCES]  # it would be another name for what is measured
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            at = stack.enter_context(site(folder, count))
            peers = [
                stack.enter_context(peer(at, name, code))
                for name in names
                for code in (codes if name in GATEWAYS else codes[:1])
            ]
            chance = random.Random(chosen.seed)
            rounds = measured(peers, scenarios, chosen.rounds, chosen.seconds, folder, chance)
            samples, failures = whole_rounds(rounds, chosen.rounds)
            abouts = {each.name: each.about for each in peers}
        counted, reasons = _counted(chosen, names, codes, scenarios, count)
        found = report.results(samples, abouts, scenarios, chosen, codes, counted)
        return found | {"failures": failures + reasons}


def whole_rounds(rounds: Iterator[Samples], count: int) -> tuple[Samples, list[str]]:
    """The samples of all rounds before one that fails or is interrupted, and how it failed.

    Raises what the first round raises.
    """
    samples: Samples = {}
    try:
        for number, so_far in enumerate(rounds, 1):
            samples = so_far
            print(f"round {number} of {count}", file=sys.stderr)
    except KeyboardInterrupt:
        if not samples:
            raise SystemExit("stopped before the first round was over") from None
    except (SystemExit, TimeoutExpired, OSError) as error:
        if not samples:
            raise
        return samples, [f"a round failed, and only the whole ones before it count: {str(error).strip()}"]
    return samples, []


def _counted(
    chosen: argparse.Namespace, names: list[str], codes: list[Code], scenarios: list[Scenario], key_count: int
) -> tuple[instructions.Counted, list[str]]:
    """Count instructions as `chosen` says, or say why they cannot be counted, which costs none of the rounds before."""
    if chosen.save and not chosen.instructions:
        names = [name for name in names if name in GATEWAYS]
        scenarios, key_count = [scenario for scenario in scenarios if scenario.name in COUNTED], ZIPF_KEYS
    elif not chosen.instructions:
        return {}, []
    try:
        return instructions.counted(names, codes, scenarios, key_count), []
    except (SystemExit, TimeoutExpired, OSError) as error:
        return {}, [f"no instructions were counted: {str(error).strip()}"]


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return int(text)


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    """Makes a list of `a,b`, or of `all`, and says which names there are when one is not known."""

    def names(text: str) -> list[str]:
        found = list(known) if text == "all" else text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}, but {', '.join(known)}")
        return list(dict.fromkeys(found))

    return names


if __name__ == "__main__":
    raise SystemExit(main())
