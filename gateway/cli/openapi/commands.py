"""The command `gateway openapi`."""

import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import click
import yaml

from gateway.cli.friendly_errors import friendly_errors
from gateway.cli.tables import output_option, quiet_option, say
from gateway.kernel.units import format_percent
from gateway.openapi.compile import check_contracts
from gateway.openapi.importing import ImportOptions, routes_of
from gateway.openapi.load import document_source, load_document
from gateway.openapi.merging import merge
from gateway.openapi.model import EVERYBODY
from gateway.openapi.publish.exporting import exported, written
from gateway.openapi.publish.visibility import Visibility
from gateway.settings import Config, as_text, load
from gateway.settings.document.includes import STANDARD_INPUT
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.routing import RouteSettings
from gateway.settings.schema.values import RefusedError, identifier, path_prefix, percent

_LABELS = {
    "added": "new",
    "changed": "changed",
    "kept": "kept as changed by hand",
    "vanished": "no longer in the document",
}


@click.group()
def command() -> None:
    """Make routes of OpenAPI documents, and a document of the routes."""


def _prefix(_context: click.Context, _parameter: click.Parameter, written: str) -> str:
    try:
        return path_prefix(written).rstrip("/") if written else ""
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _share(_context: click.Context, _parameter: click.Parameter, written: str | None) -> str:
    try:
        return "" if written is None else format_percent(percent(written))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _upstream(_context: click.Context, _parameter: click.Parameter, written: str) -> str:
    try:
        return identifier(written)
    except RefusedError as error:
        raise click.BadParameter(str(error)) from None


@command.command("import")
@click.argument("document")
@click.option("--upstream", required=True, callback=_upstream, metavar="ID", help="The upstream of the routes.")
@click.option("--prefix", default="", callback=_prefix, metavar="PATH", help="Put before every path; cut off again.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only operations with this tag. May be repeated.")
@click.option(
    "--request", type=click.Choice(["enforce", "shadow"]), help="Check requests by the document, in this mode."
)
@click.option(
    "--response", callback=_share, metavar="SHARE", help="Count and log replies that are not as described: 5% of them."
)
@click.option(
    "--write", "target", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write into this file."
)
@output_option
@quiet_option
def import_command(
    document: str,
    upstream: str,
    prefix: str,
    tags: tuple[str, ...],
    request: Literal["enforce", "shadow"] | None,
    response: str,
    target: Path | None,
    *,
    output: str,
    quiet: bool,
) -> None:
    """Make a route of each operation of DOCUMENT (OpenAPI 3.1, 3.0 or Swagger 2; - for standard input).

    Without --write the routes are printed. A file that was written before is merged: what somebody has changed in it
    stays, and routes whose operations have vanished are named and stay, too.
    """
    for name, wanted in (("request", request), ("response", response)):
        if wanted and document == STANDARD_INPUT:
            raise click.UsageError(f"--{name} needs the document in a file, which the gateway reads, too.")
    with friendly_errors():
        content = sys.stdin.buffer.read() if document == STANDARD_INPUT else None
        loaded, warnings = load_document(document, content)
        if warnings:
            click.echo(as_text(warnings), err=True)
        file = os.path.relpath(document, target.parent) if target is not None else document
        imported = routes_of(loaded, ImportOptions(upstream, prefix, tags, request, file, response))
        for remark in imported.remarks:
            click.echo(remark, err=True)
        if not imported.routes:
            raise click.ClickException("there is no operation to import")
        before = target.read_text() if target is not None and target.exists() else ""
        merged = merge(str(target or "routes"), before, imported.routes)
        if target is None:
            say(merged.text.removesuffix("\n"), yaml.safe_load(merged.text), output, quiet=False)
            return
        if merged.text != before:
            target.write_text(merged.text)
        done = {"added": merged.added, "changed": merged.changed, "kept": merged.kept, "vanished": merged.vanished}
        lines = [f"{_LABELS[what]}: {', '.join(names)}" for what, names in done.items() if names]
        text = "\n".join([*lines, f"{target}: {len(imported.routes)} routes"])
        say(text, {"file": str(target), "routes": len(imported.routes), **done}, output, quiet=quiet)


@command.command("export")
@click.option(
    "-c", "--config", "file", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The configuration."
)
@click.option("--organization", metavar="ID", help="Only routes that a key of this organisation may use.")
@click.option("--host", default="", metavar="NAME", help="Of routes for several hosts, show those for this one.")
@click.option("--output", type=click.Choice(["json", "yaml"]), default="json", show_default=True)
def export_command(file: Path, organization: str | None, host: str, output: Literal["json", "yaml"]) -> None:
    """Print one OpenAPI 3.1 document of all routes of a configuration, as callers see them.

    Paths are those of the routes, replies are in the envelope, errors have the codes that the route may give. What
    requests and results are like comes from the documents that routes name (`request`). Of several routes for the same
    path and method one is shown, which names the others: the one for --host, or else for any host.
    """
    with friendly_errors():
        config = load(file, more_checks=check_contracts)
        routes = config.routes if organization is None else _usable(config, organization)
        audience = EVERYBODY._replace(hosts=Visibility(config).hosts_of(host))
        document = exported(config, document_source(config), routes, audience)
    click.echo(written(document, output), nl=False)


def _usable(config: Config, organization: str) -> list[RouteSettings]:
    """Return the routes that need no key, or that some key of an organisation may use. Raises click.ClickException."""
    if organization not in {each.id for each in config.organizations}:
        raise click.ClickException(f"there is no organisation {organization}")
    keys = [key for key in config.keys.plain if organization in key.organizations]
    return [
        route
        for route in config.routes
        if route.auth == "none" or config.key_store is not None or any(_may_use(key, route) for key in keys)
    ]


def _may_use(key: KeySettings, route: RouteSettings) -> bool:
    return key.routes is None or any(fnmatchcase(route.id, pattern) for pattern in key.routes)
