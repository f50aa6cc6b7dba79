"""Writes problems in the format of code review tools: SARIF 2.1.0 (OASIS)."""

import json
from collections.abc import Sequence
from typing import Any

from gateway import __version__
from gateway.settings.problems import Problem
from gateway.settings.rules import RULES

_ERROR = "E001"
_LEVELS = {"warning": "warning", "info": "note"}


def as_sarif(problems: Sequence[Problem]) -> str:
    """Return one run with all `problems`. Errors have the rule E001."""
    rules: list[dict[str, Any]] = [_rule(_ERROR, "config.invalid", "The configuration cannot be used.", "error")]
    rules += [_rule(rule.id, rule.name, rule.summary, _LEVELS[rule.severity]) for rule in RULES.values()]
    driver = {"name": "gateway check", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(problem) for problem in problems]}
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2)


def _rule(identity: str, name: str, summary: str, level: str) -> dict[str, Any]:
    return {
        "id": identity,
        "name": name,
        "shortDescription": {"text": summary},
        "defaultConfiguration": {"level": level},
    }


def _result(problem: Problem) -> dict[str, Any]:
    region = {"startLine": max(problem.line, 1), "startColumn": max(problem.column, 1)}
    location = {"artifactLocation": {"uri": problem.file}, "region": region}
    return {
        "ruleId": problem.rule or _ERROR,
        "level": _LEVELS[RULES[problem.rule].severity] if problem.rule else "error",
        "message": {"text": problem.sentence},
        "locations": [{"physicalLocation": location}],
    }
