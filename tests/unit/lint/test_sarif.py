"""lint/sarif.py: problems for code review tools."""

import json

from gateway.lint.sarif import as_sarif
from gateway.settings.problems import Problem
from gateway.settings.rules import RULES


def test_errors_warnings_and_notes() -> None:
    problems = [
        Problem("a.yaml", 3, 5, "routes[0]", "wrong", "write it"),
        Problem("b.yaml", 0, 0, "", "doubtful", severity="warning", rule="W001"),
        Problem("b.yaml", 1, 2, "", "by the way", severity="warning", rule="W012"),
    ]
    document = json.loads(as_sarif(problems))
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert set(rules) == {"E001", *RULES}
    assert rules["W014"]["name"] == "route.open-around-keyed"
    assert [(each["ruleId"], each["level"], each["message"]["text"]) for each in run["results"]] == [
        ("E001", "error", "routes[0]: wrong; write it"),
        ("W001", "warning", "doubtful"),
        ("W012", "note", "by the way"),
    ]
    locations = [each["locations"][0]["physicalLocation"] for each in run["results"]]
    assert locations[0] == {"artifactLocation": {"uri": "a.yaml"}, "region": {"startLine": 3, "startColumn": 5}}
    assert locations[1]["region"] == {"startLine": 1, "startColumn": 1}
