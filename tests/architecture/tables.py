"""The tables of the README pages, made from the code. `python -m tests.architecture.tables` writes them into the pages.

They stand between `<!-- table: NAME -->` and `<!-- end -->`.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from gateway.cli import main
from gateway.cli.errors import catalogue as errors
from gateway.cli.tables import markdown
from gateway.observe.metrics import Metrics
from gateway.observe.node_metrics import NodeMetrics
from gateway.settings import json_schema
from gateway.settings.rules import RULES
from tests.bench import report

ROOT = Path(__file__).parents[2]
README, CONFIG, DEPLOY, TESTS = (ROOT / folder / "README.md" for folder in ("", "config", "deploy", "tests"))
PAGES = (README, CONFIG, DEPLOY, TESTS)
"""The front page, and the reference where it is used."""
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def faults() -> str:
    return markdown(errors.HEADER, [(f"`{name}`", *rest) for name, *rest in errors.rows()])


def metrics() -> str:
    declared = [family.declaration for family in (*Metrics().families, *NodeMetrics().families)]
    return markdown(
        ("metric", "kind", "labels", "what it says"),
        [
            (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.help)
            for each in declared
        ],
    )


def warnings() -> str:
    """The rules of `gateway check`."""
    rows = [(f"`{rule.id}`", f"`{rule.name}`", rule.severity, rule.summary) for rule in RULES.values()]
    return markdown(("id", "name", "severity", "what it finds"), rows)


def commands() -> str:
    """Every command that does something, with its options."""
    return markdown(("command", "options", "what it does"), list(_commands(main, "gateway")))


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, str, str]]:
    context = click.Context(command, info_name=name)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from _commands(found, f"{name} {each}")
        if not command.invoke_without_command:
            return
    arguments = [
        parameter.make_metavar(context) for parameter in command.params if isinstance(parameter, click.Argument)
    ]
    options = [f"`{parameter.opts[-1]}`" for parameter in command.params if isinstance(parameter, click.Option)]
    assert command.help is not None
    yield f"`{' '.join((name, *arguments))}`", ", ".join(options), command.help.partition("\n\n")[0].replace("\n", " ")


def configuration() -> str:
    schema = json_schema()
    return markdown(("key", "default", "what it says"), list(_keys(schema, schema, "")))


def _keys(schema: dict[str, Any], node: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    """Leaves and lists, with the path to each; `[]` is an entry of a list, `{}` any name."""
    node = _resolved(schema, node)
    for name, given in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        shown = _resolved(schema, given)
        text = given.get("description", shown.get("description", ""))
        below = list(_keys(schema, given, here))
        if "items" in shown:
            below = list(_keys(schema, shown["items"], f"{here}[]"))
            below += [
                row for choice in given.get("anyOf", ()) if "$ref" in choice for row in _keys(schema, choice, here)
            ]
        if isinstance(shown.get("additionalProperties"), dict):
            below = list(_keys(schema, shown["additionalProperties"], f"{here}.NAME"))
        if not below or "items" in shown:
            yield f"`{here}`", _default(given, required=name in node.get("required", ())), text
        yield from below


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follows a reference, and the half of "this or null" that is not null."""
    if "anyOf" in node:
        node = next((choice for choice in node["anyOf"] if choice.get("type") != "null"), node)
    if "$ref" in node:
        found: dict[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return _resolved(schema, found)
    return node


def _default(node: dict[str, Any], *, required: bool) -> str:
    if required:
        return "required"
    default = node.get("default")
    if (
        default in (None, [], {}, "")
        or isinstance(default, dict)
        or (isinstance(default, list) and isinstance(default[0], dict))
    ):
        return ""
    if isinstance(default, list):
        return "`[" + ", ".join(map(str, default)) + "]`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def bench() -> str:
    """The results of the benchmark that were saved last."""
    return markdown(*report.table(_measured()))


def bench_summary() -> str:
    """What those results are, and some comparisons."""
    return report.summary(_measured())


def bench_caption() -> str:
    """What they were measured with."""
    return report.caption(_measured())


def bench_latencies() -> str:
    """The latencies of the same results."""
    return markdown(*report.latencies(_measured()))


def _measured() -> report.Results:
    found: report.Results = json.loads((ROOT / "tests" / "bench" / "results.json").read_text())
    return found


TABLES: dict[str, Callable[[], str]] = {
    "faults": faults,
    "metrics": metrics,
    "commands": commands,
    "warnings": warnings,
    "configuration": configuration,
    "bench": bench,
    "bench_summary": bench_summary,
    "bench_caption": bench_caption,
    "bench_latencies": bench_latencies,
}


def with_tables(page: str) -> str:
    """The page with every table as the code has it."""
    return _TABLE.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}", page)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))
