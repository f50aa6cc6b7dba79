"""The command `gateway mock`."""

import json
import sys
from pathlib import Path

import click

from gateway.cli.demo_service import running
from gateway.cli.free_port import free_ports
from gateway.cli.friendly_errors import friendly_errors
from gateway.kernel.units import parse_duration, parse_percent
from gateway.openapi.compile import check_contracts
from gateway.openapi.load import load_document
from gateway.settings import Config, load, parse
from gateway.settings.schema.upstreams import TargetSettings, UpstreamSettings
from gateway.supervisor import run

SERVICE = "gateway.cli.mock.service"
_CONFIGURATION = """\
version: 1
server: {{drain_delay: 0s, listeners: [{{id: public, address: "{host}:{port}"}}]}}
admin: {{address: "127.0.0.1:{admin_port}"}}
upstreams: [{{id: mock, targets: [{{url: "http://127.0.0.1:{service_port}"}}]}}]
routes: [{{id: mock, match: {{prefix: /}}, upstream: mock, auth: none}}]
"""


def latency(_: click.Context, __: click.Parameter, value: str) -> tuple[float, float]:
    """Return the shortest and the longest time, in seconds."""
    shortest, _dash, longest = value.partition("-")
    try:
        first, last = parse_duration(shortest), parse_duration(longest or shortest)
    except ValueError as error:
        raise click.BadParameter(f"{error}; or a range such as 50ms-200ms") from None
    if first > last:
        raise click.BadParameter("a range begins with the shorter time")
    return first, last


def share(_: click.Context, __: click.Parameter, value: str) -> float:
    """Return a share from 0 to 1."""
    try:
        return parse_percent(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("documents", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="DOCUMENTS...")
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Serve this configuration, with the mock in place of all its upstreams.",
)
@click.option("--latency", "times", default="0s", show_default=True, callback=latency, metavar="DURATION")
@click.option("--errors", default="0%", show_default=True, callback=share, metavar="SHARE", help="Replies with errors.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Without -c: address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Without -c: port to listen on, or the next free one.",
)
def command(
    documents: tuple[Path, ...], file: Path | None, times: tuple[float, float], errors: float, host: str, port: int
) -> None:
    """Serve what OpenAPI documents describe, before there is a service.

    Replies are the documents' examples, or made from their schemas, and go through a gateway, which wraps them in its
    envelope. The field `Prefer: status=404` of a request asks for the reply with that status. --latency is a time, or
    a range such as 50ms-200ms.
    """
    with friendly_errors():
        for each in documents:
            load_document(str(each))
        config = None if file is None else load(file, more_checks=check_contracts)
        options = {
            "documents": [str(each) for each in documents],
            "errors": errors,
            "fastest_s": times[0],
            "slowest_s": times[1],
        }
        with running(SERVICE, json.dumps(options)) as service_port:
            if config is not None:
                sys.exit(run(in_front_of(config, service_port), source=f"mock of {file}"))
            found = free_ports(host, port)
            text = _CONFIGURATION.format(host=host, service_port=service_port, **found)
            click.echo(f"The mock listens on http://{host}:{found['port']}. Ctrl-C stops it.")
            sys.exit(run(parse(text, "mock"), source="mock"))


def in_front_of(config: Config, service_port: int) -> Config:
    """Return `config` with the service at that port of this machine in place of all targets. Their paths are kept."""
    upstreams = [_replaced(upstream, service_port) for upstream in config.upstreams]
    return config.model_copy(update={"upstreams": tuple(upstreams)})


def _replaced(upstream: UpstreamSettings, service_port: int) -> UpstreamSettings:
    url = f"http://127.0.0.1:{service_port}{upstream.targets[0].url.path}"
    changes = {"targets": (TargetSettings.model_validate({"url": url}),), "health": None, "breaker": None}
    return upstream.model_copy(update=changes)
