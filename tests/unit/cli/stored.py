"""Configurations whose keys are in a Redis, for the commands that edit them."""

import re
from pathlib import Path

from click.testing import CliRunner, Result

from gateway.cli import main
from tests.redis_server import RedisProcess

PREAMBLE = """\
version: 1
organizations: [{id: acme}]
plans: [{id: standard, limits: []}, {id: gold, limits: []}]
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes: [{id: orders.all, match: {prefix: /}, upstream: u}]
"""


def configuration(folder: Path, redis: RedisProcess) -> Path:
    file = folder / "gateway.yaml"
    file.write_text(PREAMBLE + f'redis: {{url: "{redis.url}"}}\nkeys: {{store: redis}}\n')
    return file


def keys(file: Path, *arguments: str, typed: str = "") -> Result:
    """`gateway keys …` about the keys of a configuration."""
    return CliRunner().invoke(main, ["keys", *arguments, "-c", str(file)], input=typed)


def done(result: Result) -> str:
    """What it printed, when all went well."""
    assert result.exit_code == 0, result.output
    return result.stdout


def secret_in(shown: str) -> str:
    (found,) = re.findall(r"gw_\w{38}", shown)
    return str(found)
