"""The results of `gateway test`, for people, programs and continuous integration."""

import json
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec

from gateway.dry_run.case_run import CaseResult

FORMATS = ("text", "json", "junit")


def as_text(results: Sequence[CaseResult], missing: Sequence[str]) -> str:
    """Return a line for each mismatch and each route without a case, and then the counts."""
    lines = [f"{mismatch} ({result.name})" for result in results for mismatch in result.mismatches]
    lines += [f"route {route}: no case leads to it" for route in missing]
    failed = sum(bool(result.mismatches) for result in results)
    lines.append(f"{len(results)} case{'' if len(results) == 1 else 's'}, {failed} failed")
    return "\n".join(lines)


def as_json(results: Sequence[CaseResult], missing: Sequence[str]) -> str:
    """Return an object with the results and the routes without a case."""
    failed = sum(bool(result.mismatches) for result in results)
    cases = [msgspec.to_builtins(result) for result in results]
    return json.dumps({"cases": cases, "failed": failed, "routes_without_case": list(missing)}, indent=2)


def as_junit(results: Sequence[CaseResult], missing: Sequence[str]) -> str:
    """Return a test suite as continuous integration reads it. A route without a case is a failure."""
    failed = sum(bool(result.mismatches) for result in results) + len(missing)
    suite = Element("testsuite", name="gateway test", tests=str(len(results) + len(missing)), failures=str(failed))
    for result in results:
        case = SubElement(suite, "testcase", name=result.name, classname=result.where.rsplit(":", 2)[0])
        if result.mismatches:
            failure = SubElement(case, "failure", message=_valid(str(result.mismatches[0])))
            failure.text = _valid("\n".join(map(str, result.mismatches)))
    for route in missing:
        case = SubElement(suite, "testcase", name=f"route {route}", classname="coverage")
        SubElement(case, "failure", message="no case leads to it")
    return tostring(suite, encoding="unicode")


def _valid(text: str) -> str:
    """Return `text` without characters that XML cannot hold."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)
