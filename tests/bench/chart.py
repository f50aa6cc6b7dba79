"""The figure of the README: what each peer costs in times of the plain proxy, a line of dots for each scenario."""

from collections.abc import Iterator
from html import escape
from math import log10
from typing import Any

from tests.bench.peers import BASE, SOURCES
from tests.bench.report import form
from tests.bench.revision import spelled

WIDTH, LEFT, RIGHT, ROW, TOP = 1000, 230, 30, 30, 84
FOOT = 78
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by people who see few colours, too (Okabe and Ito)."""
_STEPS = (0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200)


def svg(found: dict[str, Any]) -> str:
    """Dots are medians, lines quartiles; the scale is logarithmic."""
    ratios = [ratio for row in found["rows"] if row["peer"] != SOURCES for ratio in row["ratio"]]
    least, most = min(0.9, *ratios) / 1.1, max(4.0, *ratios) * 1.1
    height = TOP + ROW * len(found["scenarios"]) + FOOT
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">'
    body = [
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(found),
        *_axis(found, least, most),
        *_dots(found, least, most),
    ]
    return "\n".join([head, *body, *_foot(found, height), "</svg>", ""])


def _x(ratio: float, least: float, most: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * (log10(ratio) - log10(least)) / (log10(most) - log10(least)), 1)


def _text(x: float, y: float, words: str, *, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#333333"{more}>{escape(words)}</text>'


def _peers(found: dict[str, Any]) -> dict[str, str]:
    """The colour of each that is drawn."""
    return dict(zip([peer for peer in found["peers"] if peer not in (BASE, SOURCES)], COLOURS, strict=False))


def _legend(found: dict[str, Any]) -> Iterator[str]:
    yield _text(10, 22, "CPU for a request, in times of a plain nginx proxy", more=' font-size="16"')
    x = 10.0
    for peer, colour in _peers(found).items():
        about = found["peers"][peer]
        yield f'<circle cx="{x + 5}" cy="42" r="5" fill="{colour}"/>'
        yield _text(x + 15, 46, about)
        x += 40 + 7 * len(about)


def _axis(found: dict[str, Any], least: float, most: float) -> Iterator[str]:
    bottom = TOP + ROW * len(found["scenarios"]) - 8
    for step in _STEPS:
        if least <= step <= most:
            x = _x(step, least, most)
            yield f'<line x1="{x}" y1="{TOP - 14}" x2="{x}" y2="{bottom}" stroke="{"#888888" if step == 1 else "#dddddd"}"/>'
            yield _text(x, TOP - 18, f"{step:g}", anchor="middle")
    for position, about in enumerate(found["scenarios"].values()):
        yield _text(LEFT - 12, TOP + ROW * position + 8, about, anchor="end")


def _dots(found: dict[str, Any], least: float, most: float) -> Iterator[str]:
    colours, positions = _peers(found), {name: position for position, name in enumerate(found["scenarios"])}
    for row in found["rows"]:
        if row["peer"] in colours:
            colour, y = colours[row["peer"]], TOP + ROW * positions[row["scenario"]] + 4
            low, middle, high = (_x(ratio, least, most) for ratio in row["ratio"])
            yield f'<line x1="{low}" y1="{y}" x2="{high}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
            yield f'<circle cx="{middle}" cy="{y}" r="5" fill="{colour}"><title>{row["ratio"][1]:.2f}</title></circle>'


def _foot(found: dict[str, Any], height: int) -> Iterator[str]:
    machine = found["machine"]
    lines = (
        f"Medians and quartiles of the ratio within a round; {found['rounds']} rounds of {found['seconds']} s, 64 connections, one core; less is better.",
        f"Gateways {spelled(found['interpreter'], form(found))}.",
        f"{machine['processor']}, {machine['cores']} cores, shared with other work (load {machine['load']}); revision {found['revision']}.",
    )
    for number, line in enumerate(lines):
        yield _text(10, height - 48 + 18 * number, line, more=' font-size="12"')
