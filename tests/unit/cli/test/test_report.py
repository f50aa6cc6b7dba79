"""cli/test/report.py: the forms of a report."""

import json
from xml.etree.ElementTree import fromstring

from gateway.cli.test.report import as_json, as_junit, as_text
from gateway.dry_run.case_run import CaseResult, Mismatch

RESULTS = [
    CaseResult("one", "a/t.yaml:2:3", "r", []),
    CaseResult(
        "two",
        "a/t.yaml:4:3",
        None,
        [Mismatch("a/t.yaml:5:9", "status", "200", "4\x0104"), Mismatch("a/t.yaml:5:7", "code", "1", "2")],
    ),
]


def test_as_text() -> None:
    assert as_text(RESULTS, ["s"]).split("\n") == [
        "a/t.yaml:5:9: status: expected 200, got 4\x0104 (two)",
        "a/t.yaml:5:7: code: expected 1, got 2 (two)",
        "route s: no case leads to it",
        "2 cases, 1 failed",
    ]
    assert as_text(RESULTS[:1], []) == "1 case, 0 failed"


def test_as_json() -> None:
    found = json.loads(as_json(RESULTS, ["s"]))
    assert (found["failed"], found["routes_without_case"], found["cases"][0]) == (
        1,
        ["s"],
        {"name": "one", "where": "a/t.yaml:2:3", "route": "r", "mismatches": []},
    )


def test_as_junit() -> None:
    suite = fromstring(as_junit(RESULTS, ["s"]))
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "2")
    assert [(case.attrib["classname"], case.attrib["name"], len(case)) for case in suite] == [
        ("a/t.yaml", "one", 0),
        ("a/t.yaml", "two", 1),
        ("coverage", "route s", 1),
    ]
    failure = suite[1][0]
    assert failure.attrib["message"] == "a/t.yaml:5:9: status: expected 200, got 4�04"
    assert failure.text is not None
    assert failure.text.count("\n") == 1
