"""The results as data, as text and as a table for the README."""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.instructions import Counted
from tests.bench.peers import BASE, GATEWAYS, SOURCES
from tests.bench.revision import Code, Form, described, interpreter, run_by, spelled
from tests.bench.rounds import Samples, Spread, ratios, spread
from tests.bench.scenarios import GOALS, Scenario

_ABSENT = "–"
"""Stands in tables where a peer was not asked."""

Results = dict[str, Any]
"""`rows` has one for each scenario and peer, `compared` one for each scenario and peer that ran in two revisions."""


def results(
    samples: Samples,
    peers: Mapping[str, str],
    scenarios: Sequence[Scenario],
    chosen: argparse.Namespace,
    codes: Sequence[Code],
    instructions: Counted,
) -> Results:
    rows = []
    for scenario in scenarios:
        for peer in peers:
            found = samples.get((scenario.name, peer))
            if found is None:
                continue
            rows.append(
                {
                    "scenario": scenario.name,
                    "peer": peer,
                    "ratio": _rounded(ratios(samples, (scenario.name, peer), (scenario.name, BASE))),
                    "cpu_us": _rounded(spread([each.cpu_us for each in found])),
                    "redis_us": round(median(each.redis_us for each in found), 1),
                    "per_second": round(median(each.per_second for each in found)),
                    "p50_ms": round(median(each.p50_ms for each in found), 2),
                    "p99_ms": round(median(each.p99_ms for each in found), 2),
                    "rss_mib": round(median(each.rss_mib for each in found), 1),
                    "instructions": round(instructions[scenario.name, peer])
                    if (scenario.name, peer) in instructions
                    else None,
                    "goal": GOALS.get((scenario.name, peer)),
                }
            )
    return {
        "revision": described(),
        "compared_with": codes[1].revision if len(codes) > 1 else None,
        "interpreter": interpreter(chosen.python),
        "code": codes[0].form,
        "machine": _machine(),
        "rounds": len(next(iter(samples.values()))),
        "seconds": chosen.seconds,
        "peers": dict(peers),
        "scenarios": {scenario.name: scenario.about for scenario in scenarios},
        "rows": rows,
        "compared": _compared(samples, peers, scenarios),
        "many_keys": _many_keys(samples, peers),
    }


def form(found: Results) -> Form:
    """What the gateways of a run were."""
    code: Form = found.get("code", "sources")  # results without it are older than what is compiled
    return code


def text(found: Results) -> str:
    """For a person at a terminal."""
    interpreter, machine = spelled(found["interpreter"], form(found)), found["machine"]
    lines = [
        f"{found['revision']}, gateways {interpreter}",
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load']} at the end; {found['rounds']} rounds of {found['seconds']} s",
    ]
    width = max(map(len, found["peers"].values()))
    for scenario, about in found["scenarios"].items():
        lines += ["", f"{scenario}: {about}"]
        lines += [
            f"{'':{width}} {'times nginx':>19} {'CPU µs':>8} {'Redis µs':>8} {'a second':>9} {'p50 ms':>7} {'p99 ms':>7} {'RSS MiB':>8} {'instr.':>8}"
        ]
        for row in _rows(found, scenario):
            low, middle, high = row["ratio"]
            wanted = f"  goal {row['goal']}" if row["goal"] else ""
            lines.append(
                f"{found['peers'][row['peer']]:{width}} {middle:7.2f} ({low:.2f}–{high:.2f}) {row['cpu_us'][1]:8.1f} {row['redis_us']:8.1f}"
                f" {row['per_second']:9} {row['p50_ms']:7.2f} {row['p99_ms']:7.2f} {row['rss_mib']:8.1f} {row['instructions'] or '':>8}{wanted}"
            )
    for each in found["compared"]:
        low, middle, high = each["ratio"]
        lines.append(
            f"\n{each['scenario']}, {each['peer']}: {middle:.3f} ({low:.3f}–{high:.3f}) times the CPU of {found['compared_with']}"
        )
    for peer, (low, middle, high) in found["many_keys"].items():
        lines.append(f"\n16,000 active keys, {peer}: {middle:.3f} ({low:.3f}–{high:.3f}) times the CPU of 10")
    return "\n".join(lines)


def table(found: Results) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Header and rows of what each peer costs in times of the plain proxy, quartiles in brackets.

    `SOURCES` has no column, as it is asked in one scenario alone: `summary` has a sentence about it.
    """
    peers = [peer for peer in found["peers"] if peer not in (BASE, SOURCES)]
    rows: list[Sequence[str]] = []
    for scenario, about in found["scenarios"].items():
        by_peer = {row["peer"]: row for row in _rows(found, scenario)}
        shown = [_times(by_peer.get(peer)) for peer in peers]
        rows.append([about, f"{by_peer[BASE]['cpu_us'][1]:.0f} µs", *shown])
    return ["", found["peers"][BASE], *[found["peers"][peer] for peer in peers]], rows


def latencies(found: Results) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Header and rows of the p99 of each peer, and of the instructions for a request where they were counted."""
    names = {peer: about for peer, about in found["peers"].items() if peer != SOURCES}
    counted = [peer for peer in names if any(each["instructions"] for each in found["rows"] if each["peer"] == peer)]
    rows: list[Sequence[str]] = []
    for scenario, about in found["scenarios"].items():
        by_peer = {row["peer"]: row for row in _rows(found, scenario)}
        waits = [f"{by_peer[peer]['p99_ms']:.1f} ms" if peer in by_peer else _ABSENT for peer in names]
        counts = [by_peer.get(peer, {}).get("instructions") for peer in counted]
        rows.append([about, *waits, *[f"{count / 1e3:.0f},000" if count else _ABSENT for count in counts]])
    return ["p99", *names.values(), *[f"instructions, {names[peer]}" for peer in counted]], rows


def caption(found: Results) -> str:
    """The sentence under the figure."""
    gateways = run_by(found["interpreter"], form(found))
    return (
        f"The figure was measured on a small machine, the gateways {gateways}: compare the peers, "
        "and do not take the numbers as absolute."
    )


def summary(found: Results) -> str:
    """Sentences about the run, and how the gateway compares with the same job in Lua, both with limits in Redis."""
    machine, names, interpreter = found["machine"], found["peers"], spelled(found["interpreter"], form(found))
    run = f"{found['rounds']} rounds of {found['seconds']} s, revision {found['revision']}, {machine['cores']} cores"
    facts = [f"{run}, load {machine['load']} at the end; the gateways {interpreter}."]
    cpu = {(row["scenario"], row["peer"]): row["cpu_us"][1] for row in found["rows"]}
    compared = [
        f"{cpu[scenario, 'redis'] / cpu[scenario, 'lua']:.1f} ({about})"
        for scenario, about in found["scenarios"].items()
        if {(scenario, "redis"), (scenario, "lua")} <= cpu.keys()
    ]
    if compared:
        facts.append(f"CPU of “{names['redis']}”, in times of “{names['lua']}”: {', '.join(compared)}.")
    brought = [
        f"{cpu[scenario, 'embedded'] / cpu[scenario, SOURCES]:.2f} ({about})"
        for scenario, about in found["scenarios"].items()
        if {(scenario, "embedded"), (scenario, SOURCES)} <= cpu.keys()
    ]
    if brought:
        facts.append(f"CPU of “{names['embedded']}”, in times of “{names[SOURCES]}”: {', '.join(brought)}.")
    for peer, (low, middle, high) in found["many_keys"].items():
        if peer in GATEWAYS:
            facts.append(
                f"CPU with 16,000 keys in use, in times of 10, “{names[peer]}”: {middle:.2f} ({low:.2f}–{high:.2f})."
            )
    return "\n".join(f"- {fact}" for fact in facts)


def _times(row: dict[str, Any] | None) -> str:
    return _ABSENT if row is None else "{1:.1f} ({0:.1f}–{2:.1f})".format(*row["ratio"])


def missed(found: Results) -> list[dict[str, Any]]:
    """The rows whose median is above their goal."""
    return [row for row in found["rows"] if row["goal"] is not None and row["ratio"][1] > row["goal"]]


def _rows(found: Results, scenario: str) -> list[dict[str, Any]]:
    return [row for row in found["rows"] if row["scenario"] == scenario]


def _rounded(values: Spread) -> list[float]:
    return [round(value, 3) for value in values]


def _compared(samples: Samples, peers: Mapping[str, str], scenarios: Sequence[Scenario]) -> list[dict[str, Any]]:
    """What this tree costs in times of the other revision, within the round."""
    return [
        {
            "scenario": scenario.name,
            "peer": peer,
            "ratio": _rounded(ratios(samples, (scenario.name, peer), (scenario.name, other))),
        }
        for scenario in scenarios
        for peer in peers
        for other in peers
        if other.startswith(f"{peer}@") and (scenario.name, peer) in samples
    ]


def _many_keys(samples: Samples, peers: Mapping[str, str]) -> dict[str, list[float]]:
    return {
        peer: _rounded(ratios(samples, ("keys16k", peer), ("keys10", peer)))
        for peer in peers
        if {("keys16k", peer), ("keys10", peer)} <= samples.keys()
    }


def _machine() -> dict[str, object]:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next(
        (line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "kernel": platform.release(),
    }
