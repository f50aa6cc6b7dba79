"""The scripts that a worker needs in Redis, beside those of its limiter."""

from gateway.accounting.storage import SCRIPT as USAGE
from gateway.fleet.registry import SCRIPT as FLEET
from gateway.keystore.reader import SCRIPTS as KEYS
from gateway.keystore.writer import SCRIPT as REPLACE_KEY
from gateway.reuse.idempotency_store import SCRIPT as IDEMPOTENCY
from gateway.settings import Config


def more_scripts(config: Config) -> tuple[bytes, ...]:
    """Return those for what `config` asks for."""
    scripts = [FLEET]
    if config.key_store is not None:
        scripts += KEYS
    if config.server.self_service_path is not None:
        scripts.append(REPLACE_KEY)
    if any(route.idempotency is not None for route in config.routes):
        scripts.append(IDEMPOTENCY)
    if config.observability.usage is not None:
        scripts.append(USAGE)
    return tuple(scripts)
