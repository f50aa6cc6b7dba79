"""What the checks of a target say of it. Pure."""

from enum import IntEnum
from typing import NamedTuple


class Verdict(IntEnum):
    """As numbers, which fit into shared memory."""

    UNKNOWN = 0
    """Not checked yet, or not any more."""
    UP = 1
    DOWN = 2


class Findings(NamedTuple):
    """`against` is how many checks in a row have said otherwise than `verdict`."""

    verdict: Verdict
    against: int


def judged(before: Findings, passed: bool, healthy: int, unhealthy: int) -> Findings:
    """After one more check: `healthy` passed ones in a row bring up what is down, `unhealthy` failed ones down what is up.

    The first of all decides alone.
    """
    found = Verdict.UP if passed else Verdict.DOWN
    if found is before.verdict:
        return Findings(found, 0)
    needed = 1 if before.verdict is Verdict.UNKNOWN else healthy if passed else unhealthy
    against = before.against + 1
    return Findings(found, 0) if against >= needed else Findings(before.verdict, against)
