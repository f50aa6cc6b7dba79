"""The command `gateway test`."""

import asyncio
import sys
from pathlib import Path

import click

from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.keys.listed import with_listed_keys
from gateway.cli.test.report import FORMATS, as_json, as_junit, as_text
from gateway.dry_run.case_run import CaseResult, run_cases, uncovered
from gateway.dry_run.cases import read_cases
from gateway.dry_run.run import compiled
from gateway.openapi.compile import check_contracts
from gateway.settings import load
from gateway.system.clock import SYSTEM_CLOCK


@click.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="TESTS...")
@click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The configuration."
)
@click.option("--coverage", is_flag=True, help="Name the routes that no case leads to; they are failures.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all cases pass.")
@click.option("--output", type=click.Choice(FORMATS), default="text", show_default=True, help="The form of the report.")
def command(files: tuple[Path, ...], file: Path, output: str, *, coverage: bool, quiet: bool) -> None:
    """Run cases for a configuration: requests, and what is expected.

    Each case goes through the stages of the gateway itself, with limits of which nothing is used, and nothing is sent.

    Exits with 0 if all cases pass, 1 if one fails or a file cannot be used.
    """

    async def run() -> tuple[list[CaseResult], list[str]]:
        parts = compiled(with_listed_keys(load(file, more_checks=check_contracts)), SYSTEM_CLOCK)
        results: list[CaseResult] = []
        for each in files:
            results += await run_cases(read_cases(each), parts, SYSTEM_CLOCK)
        return results, uncovered(results, parts) if coverage else []

    with friendly_errors():
        results, missing = asyncio.run(run())
    failed = bool(missing) or any(result.mismatches for result in results)
    if failed or not quiet:
        click.echo({"text": as_text, "json": as_json, "junit": as_junit}[output](results, missing))
    sys.exit(1 if failed else 0)
