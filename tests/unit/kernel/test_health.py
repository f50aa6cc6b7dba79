"""kernel/health.py: the number of checks that change a verdict."""

import pytest

from gateway.kernel.health import Findings, Verdict, judged

UNKNOWN, UP, DOWN = Verdict.UNKNOWN, Verdict.UP, Verdict.DOWN


def after(checks: str, verdict: Verdict = UNKNOWN) -> list[Verdict]:
    """The verdicts after each of `checks`, + or -, with two to come up and three to go down."""
    findings, verdicts = Findings(verdict, 0), []
    for check in checks:
        findings = judged(findings, 2, 3, passed=check == "+")
        verdicts.append(findings.verdict)
    return verdicts


@pytest.mark.parametrize(
    ("before", "checks", "verdicts"),
    [
        (UNKNOWN, "+", [UP]),
        (UNKNOWN, "-", [DOWN]),
        (UP, "---", [UP, UP, DOWN]),
        (UP, "--+---", [UP, UP, UP, UP, UP, DOWN]),
        (DOWN, "++", [DOWN, UP]),
        (DOWN, "+-++", [DOWN, DOWN, DOWN, UP]),
        (DOWN, "++--+", [DOWN, UP, UP, UP, UP]),
    ],
)
def test_it_takes_some_in_a_row(before: Verdict, checks: str, verdicts: list[Verdict]) -> None:
    assert after(checks, before) == verdicts
