"""The command line: `gateway COMMAND`, each command in the module of its name.

A module is imported only when its command is called, because the import of aiohttp, pydantic and structlog takes longer
than most commands. Every command exits with 0 on success, 1 if it has found a problem, 2 if it was called incorrectly;
`diff` exits with 3 or 4 if there are changes.
"""

import os
import sys

from gateway.system.signals import install_early_handlers
from gateway.system.stdio import open_missing_streams

# Before all other imports: they take time, and a signal may arrive meanwhile.
open_missing_streams()
install_early_handlers(sys.argv)

from difflib import get_close_matches  # noqa: E402
from importlib import import_module  # noqa: E402
from typing import cast  # noqa: E402

import click  # noqa: E402
from click.shell_completion import CompletionItem  # noqa: E402

from gateway import __version__  # noqa: E402
from gateway.cli.fast_import import fast_imports  # noqa: E402
from gateway.system.compiled import use_compiled_modules  # noqa: E402

SUMMARIES = {
    "run": "Serve what a configuration file, or one URL, describes.",
    "reload": "Have a running gateway read its configuration again.",
    "maintenance": "Answer all calls with 503 for a while, without a reload.",
    "demo": "Serve an example service, and print requests to try.",
    "mock": "Serve what OpenAPI documents describe, before there is a service.",
    "check": "Say everything that is wrong with a configuration file.",
    "diff": "Say what another configuration file would change.",
    "explain": "Say what the gateway would do with a request, and why.",
    "test": "Run cases for a configuration: requests, and what is expected.",
    "replay": "Say which calls of an access log would meet something else.",
    "routes": "List the routes of a configuration file.",
    "openapi": "Make routes of OpenAPI documents, and a document of the routes.",
    "keys": "Create API keys, and manage those that are kept in Redis.",
    "limits": "Say what limits amount to, and what a key has used of them.",
    "usage": "Say what organisations, keys and routes have used, for invoices.",
    "audit": "Say who has changed what.",
    "errors": "List every error that the gateway itself answers, and the last ones that happened.",
    "requests": "Say what happened to a request.",
    "top": "Show what gateways do: requests, errors, durations, limits and Redis, of the last minute.",
    "tail": "Follow the access lines of running gateways.",
    "schema": "Print the JSON Schema of the configuration.",
    "healthcheck": "Ask a running gateway whether it is ready.",
    "completion": "Print the completion script of a shell.",
}
"""The texts that help and completion show without the import of a command, in the order in which a new user needs them.
"""

SERVE = ("run", "demo")
"""The commands that run what is compiled."""
DRAW = ("top",)
"""The commands that draw with rich."""


class Commands(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        if cmd_name not in SUMMARIES:
            return None
        with fast_imports(draws=cmd_name in DRAW):
            if cmd_name in SERVE:
                use_compiled_modules(os.environ)
            return cast(click.Command, import_module(f"gateway.cli.{cmd_name}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        close = get_close_matches(args[0], SUMMARIES, n=1)
        if close and args[0] not in SUMMARIES:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{close[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [CompletionItem(name, help=text) for name, text in SUMMARIES.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gateway", message="%(prog)s %(version)s")
def main() -> None:
    """An API gateway: keys, rate limits and one envelope for every reply, in front of HTTP services as they are."""  # noqa: D401 - as --help shows it
