"""The command `gateway demo`."""

import sys

import click

from gateway.cli.demo_service import ENCODINGS, EXAMPLES, running
from gateway.cli.free_port import free_ports
from gateway.cli.friendly_errors import friendly_errors
from gateway.key_management import secret
from gateway.settings import parse
from gateway.supervisor import run

CONFIGURATION = """\
version: 1
server:
  drain_delay: 0s
  listeners:
    - {{id: public, address: "{host}:{port}"}}
admin: {{address: "127.0.0.1:{admin_port}"}}
organizations:
  - {{id: acme, name: ACME Corp.}}
keys:
  - {{id: demo, secret_sha256: {digest}, organizations: [acme]}}
upstreams:
  - id: demo
    targets: [{{url: "http://127.0.0.1:{service_port}"}}]
    timeouts: {{first_byte: 3s}}
routes:
  - {{id: encoding.collection, upstream: demo, match: {{path: {encodings}, methods: [GET, POST]}}}}
  - {{id: encoding.item, upstream: demo, match: {{path: "{encodings}/{{id}}", methods: [GET, DELETE]}}}}
  - {{id: examples, upstream: demo, match: {{path: "{examples}/{{name}}", methods: [GET]}}}}
"""

WELCOME = """\
The gateway listens on {url}, an example service is behind it.
A key for this run only: {key}

Try, in another terminal:

  # create, list
  curl -i -H 'X-Api-Key: {key}' -H 'Content-Type: application/json' -d '{{"name": "first"}}' {url}{encodings}
  curl -i -H 'X-Api-Key: {key}' {url}{encodings}

  # errors: no key, no name, no such encoding, no such route, no such method
  curl -i {url}{encodings}
  curl -i -H 'X-Api-Key: {key}' -H 'Content-Type: application/json' -d '{{}}' {url}{encodings}
  curl -i -H 'X-Api-Key: {key}' {url}{encodings}/none
  curl -i -H 'X-Api-Key: {key}' {url}/v2
  curl -i -H 'X-Api-Key: {key}' -X PUT {url}{encodings}

  # a service that crashes, answers garbage, hangs up, never answers
  curl -i -H 'X-Api-Key: {key}' {url}{examples}/crash
  curl -i -H 'X-Api-Key: {key}' {url}{examples}/garbage
  curl -i -H 'X-Api-Key: {key}' {url}{examples}/hang-up
  curl -i -H 'X-Api-Key: {key}' {url}{examples}/never

  # more than 300 requests a minute
  curl -s -o /dev/null -w '%{{http_code}}\\n' -H 'X-Api-Key: {key}' '{url}{encodings}?n=[1-400]' | sort | uniq -c

  # what operators see
  curl -s http://127.0.0.1:{admin_port}/metrics

Ctrl-C stops both.
"""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on, or the next free one.",
)
def command(host: str, port: int) -> None:
    """Serve an example service, and print requests to try.

    Makes a key that is valid for this run, and keeps everything in memory.
    """
    key = secret.create()
    with friendly_errors(), running() as service_port:
        ports = free_ports(host, port)
        paths = {"encodings": ENCODINGS, "examples": EXAMPLES}
        text = CONFIGURATION.format(host=host, **ports, **paths, digest=secret.digest(key), service_port=service_port)
        config = parse(text, "demo")
        click.echo(WELCOME.format(url=f"http://{host}:{ports['port']}", key=key, **ports, **paths))
        sys.exit(run(config, source="demo"))
