"""What all workers share of a compiled configuration."""

from hashlib import sha256

import msgspec

from gateway.kernel.faults import Fault
from gateway.remote.board import Board
from gateway.settings import Config
from gateway.table.build import build_credentials, build_faults
from gateway.table.callers import Credentials


class Blueprint(msgspec.Struct, frozen=True):
    """A configuration compiled as far as all workers can share it. `source` names it in the log, `digest` its content, and
    `board` holds what is found out about its targets."""

    config: Config
    source: str
    digest: str
    faults: dict[str, Fault]
    credentials: Credentials
    board: Board


def draw(config: Config, source: str) -> Blueprint:
    """Compile `config`."""
    digest = sha256(repr(config).encode()).hexdigest()[:12]
    urls = {upstream.id: [str(target.url) for target in upstream.targets] for upstream in config.upstreams}
    board = Board(urls, [upstream.id for upstream in config.upstreams if upstream.health is not None])
    return Blueprint(config, source, digest, build_faults(config), build_credentials(config), board)
