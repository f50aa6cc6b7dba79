import pytest

from gateway.accounting.storage import SCRIPT as USAGE
from gateway.fleet.registry import SCRIPT as FLEET
from gateway.keystore.reader import SCRIPTS as KEYS
from gateway.keystore.writer import SCRIPT as REPLACE_KEY
from gateway.reuse.idempotency_store import SCRIPT as IDEMPOTENCY
from gateway.settings import parse
from gateway.worker.redis_scripts import more_scripts

LEAST = """
version: 1
redis: {url: "redis://h"}
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
"""
ROUTES = "routes: [{id: a, match: {prefix: /}, upstream: u}]\n"


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (ROUTES, ()),
        (ROUTES.replace("upstream: u", "upstream: u, idempotency: {}"), (IDEMPOTENCY,)),
        (ROUTES + "keys: {store: redis}\n", KEYS),
        (ROUTES + "keys: {store: redis}\nserver: {self_service_path: /key}\n", (*KEYS, REPLACE_KEY)),
        (ROUTES + "observability: {usage: {}}\n", (USAGE,)),
    ],
)
def test_a_worker_loads_what_it_needs(text: str, more: tuple[bytes, ...]) -> None:
    assert more_scripts(parse(LEAST + text, environ={})) == (FLEET, *more)
