"""The log of the supervisor."""

from gateway.observe.direct_writer import DirectWriter
from gateway.observe.log import Log
from gateway.settings import Config
from gateway.worker.worker import SYSTEM


def node_log(config: Config, writer: DirectWriter) -> Log:
    """As `config` says, and what everything in this process writes to from now on."""
    settings, key = config.observability.log, config.auth.key
    log = Log(SYSTEM.wall, format=settings.format, level=settings.level, secret_names=(key.header, key.query), writer=writer)
    log.install()
    return log
