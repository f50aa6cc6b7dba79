"""python -m tests.helm_chart: what Helm makes of the chart, for values on standard input and back as JSON.

It runs in a process of its own, because the library of Helm brings a runtime that starts threads and handles signals.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import yaml

from tests.architecture.files import ROOT

CHART = ROOT / "deploy" / "helm"
Values = dict[str, Any]
Resources = dict[tuple[str, str], dict[str, Any]]
"""What is rendered, by kind and name."""


class _Answer(TypedDict):
    findings: list[str]
    manifests: dict[str, str]
    refused: str


class Rendered(NamedTuple):
    findings: list[str]
    """Of `helm lint --strict`."""
    resources: Resources
    after_install: str
    refused: str
    """Why there is nothing, or an empty text."""


def rendered(cases: Sequence[Values], release: str = "gateway") -> list[Rendered]:
    """What `helm template` and `helm lint --strict` say of each case, in one process."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, release],
        input=json.dumps(list(cases)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [_of(answer) for answer in json.loads(done.stdout)]


def _of(answer: _Answer) -> Rendered:
    resources = [
        resource
        for file, text in answer["manifests"].items()
        if file.endswith(".yaml")
        for resource in yaml.safe_load_all(text)
        if resource
    ]
    by_name = {(each["kind"], each["metadata"]["name"]): each for each in resources}
    assert len(by_name) == len(resources)
    after_install = answer["manifests"].get("gateway/templates/NOTES.txt", "")
    return Rendered(answer["findings"], by_name, after_install, answer["refused"])


def _answer(values: Values, release: str) -> _Answer:
    import helm_python  # noqa: PLC0415  # in that process only

    report = helm_python.lint(CHART, values, strict=True)
    findings = [*report["errors"], *(each["error"] for each in report["messages"])]
    try:
        with helm_python.Chart.load(CHART) as chart:
            return _Answer(
                findings=findings, manifests=chart.render(values, name=release, namespace="default"), refused=""
            )
    except helm_python.HelmError as error:
        return _Answer(findings=findings, manifests={}, refused=str(error))


if __name__ == "__main__":
    json.dump([_answer(values, sys.argv[1]) for values in json.load(sys.stdin)], sys.stdout)
