"""The command `gateway check`."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import click

from gateway.cli.friendly_errors import friendly_errors
from gateway.lint.fix import fix_keys
from gateway.lint.run import linter
from gateway.lint.sarif import as_sarif
from gateway.openapi.compile import check_contracts
from gateway.settings import Config, ConfigError, Problem, as_commands, as_data, as_text, load_with_warnings
from gateway.settings.document.includes import STANDARD_INPUT
from gateway.settings.rules import RULES, LintRule, rule_named
from gateway.settings.schema.values import did_you_mean
from gateway.system.clock import SYSTEM_CLOCK


def ignored_rules(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    """Return the ids of the rules that are named."""
    names = [name.strip() for each in value for name in each.split(",") if name.strip()]
    found: dict[str, LintRule | None] = {name: rule_named(name) for name in names}
    for name, rule in found.items():
        if rule is None:
            hint = did_you_mean(name, [*RULES, *(each.name for each in RULES.values())])
            raise click.BadParameter(f"there is no rule `{name}`{f'; {hint}' if hint else ''}")
    return frozenset(rule.id for rule in found.values() if rule is not None)


@click.command()
@click.argument("named", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration; - for standard input.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if there are warnings.")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="RULES",
    callback=ignored_rules,
    help="Rules whose warnings are left out, by id or name; may be repeated.",
)
@click.option("--fix", is_flag=True, help="Correct keys that are written in another spelling, in their files.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is fine.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="For people, for programs, as annotations of a pull request, or for code review tools.",
)
def command(
    named: Path | None,
    file: Path | None,
    *,
    strict: bool,
    ignored: frozenset[str],
    fix: bool,
    quiet: bool,
    output: Literal["text", "json", "github", "sarif"],
) -> None:
    """Say everything that is wrong with a configuration file.

    Reads it as `gateway run` does, environment and included files too, and starts nothing. Warnings are told, and leave
    the exit code 0 without --strict.
    """
    if (named is None) == (file is None):
        raise click.UsageError("Say which configuration: FILE or -c FILE.")
    path = named or file
    assert path is not None
    problems, config = _checked(path)
    if fix and str(path) != STANDARD_INPUT:
        with friendly_errors():
            fixed = fix_keys(problems)
        for each in fixed:
            click.echo(str(each), err=True)
        if fixed:
            problems, config = _checked(path)
    problems = [problem for problem in problems if problem.rule not in ignored]
    counts = "" if config is None or quiet else f"{path}: fine: {_counts(config)}"
    shown = _FORMS[output](problems, counts)
    if shown:
        click.echo(shown)
    failing = [problem for problem in problems if not problem.rule or RULES[problem.rule].severity == "warning"]
    sys.exit(1 if config is None or (strict and failing) else 0)


def _checked(path: Path) -> tuple[Sequence[Problem], Config | None]:
    """Return the problems, and the configuration if it can be used in spite of them."""
    content = sys.stdin.buffer.read() if str(path) == STANDARD_INPUT else None
    try:
        config, warnings = load_with_warnings(
            path, content=content, lint=linter(SYSTEM_CLOCK.wall()), more_checks=check_contracts
        )
    except ConfigError as error:
        return error.problems, None
    return warnings, config


def _counts(config: Config) -> str:
    counted = {"route": len(config.routes), "upstream": len(config.upstreams), "key": len(config.keys)}
    counts = [f"{number} {noun}{'' if number == 1 else 's'}" for noun, number in counted.items()]
    if config.key_store is not None:
        counts[-1] = f"keys in {config.key_store.store}"
    return ", ".join(counts)


def _text(problems: Sequence[Problem], counts: str) -> str:
    return "\n".join(filter(None, (as_text(problems, color=sys.stdout.isatty()), counts)))


def _json(problems: Sequence[Problem], _: str) -> str:
    errors, warnings = ([each for each in problems if bool(each.rule) is is_warning] for is_warning in (False, True))
    found = {"problems": as_data(errors), "warnings": as_data(warnings)}
    return json.dumps(found if warnings else {"problems": found["problems"]}, indent=2)


_FORMS: dict[str, Callable[[Sequence[Problem], str], str]] = {
    "text": _text,
    "json": _json,
    "github": lambda problems, _: as_commands(problems),
    "sarif": lambda problems, _: as_sarif(problems),
}
