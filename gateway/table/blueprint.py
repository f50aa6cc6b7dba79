"""What all workers share of a compiled configuration."""

from hashlib import sha256

import msgspec

from gateway.kernel.faults import Fault
from gateway.settings import Config
from gateway.table.build import build_credentials, build_faults
from gateway.table.callers import Credentials


class Blueprint(msgspec.Struct, frozen=True):
    """A configuration compiled as far as all workers can share it. `source` names it in the log, `digest` its content."""

    config: Config
    source: str
    digest: str
    faults: dict[str, Fault]
    credentials: Credentials


def draw(config: Config, source: str) -> Blueprint:
    """Compile `config`."""
    return Blueprint(config, source, sha256(repr(config).encode()).hexdigest()[:12], build_faults(config), build_credentials(config))
