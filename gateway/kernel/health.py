"""The verdict of health checks about a target."""

from enum import IntEnum
from typing import NamedTuple


class Verdict(IntEnum):
    """The verdicts, as numbers that fit into shared memory."""

    UNKNOWN = 0
    """The verdict before the first check."""
    UP = 1
    DOWN = 2


class Findings(NamedTuple):
    """A verdict, and the number of consecutive checks against it."""

    verdict: Verdict
    against: int


def judged(before: Findings, healthy: int, unhealthy: int, *, passed: bool) -> Findings:
    """Return the findings after one more check.

    `healthy` passed checks in a row bring a target up, `unhealthy` failed ones take it down. The first check of all
    decides alone.

    The first of all decides alone.
    """
    found = Verdict.UP if passed else Verdict.DOWN
    if found is before.verdict:
        return Findings(found, 0)
    needed = 1 if before.verdict is Verdict.UNKNOWN else healthy if passed else unhealthy
    against = before.against + 1
    return Findings(found, 0) if against >= needed else Findings(before.verdict, against)
