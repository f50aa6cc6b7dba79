from collections.abc import Iterator

import pytest

from gateway.key_management.listing import KeySelection, listed, shown
from gateway.key_management.registry_access import KeyChangeError
from gateway.keystore.records import KeyNames, Secret, StoredKey
from gateway.keystore.registry import KeyRegistry
from gateway.redis_client.blocking_client import client_for
from tests.redis_server import RedisProcess


@pytest.fixture
def registry(module_redis: RedisProcess) -> Iterator[KeyRegistry]:
    module_redis.ask("FLUSHALL")
    client = client_for(module_redis.url, KeyNames.of("gw").ids)
    registry = KeyRegistry(client, "gw")
    keys = {
        name: StoredKey({"id": name, "organizations": [organization]}, (Secret(name * 64),), "2026-01-01T00:00:00Z")
        for name, organization in (("b", "acme"), ("a", "acme"), ("d", "other"), ("c", "acme"))
    }
    registry.change(keys, lambda _: keys)
    module_redis.ask("HSET", KeyNames.of("gw").used, "b", "1800000000")
    yield registry
    client.close()


def ids(registry: KeyRegistry, limit: int, after: str = "", organization: str | None = None) -> tuple[str, str | None]:
    page = listed(registry, KeySelection(limit, after, organization))
    return "".join(key["id"] for key in page["keys"]), page["next"]


def test_keys_come_in_pages(registry: KeyRegistry) -> None:
    assert ids(registry, 2) == ("ab", "b")
    assert ids(registry, 2, "b") == ("cd", None)
    assert ids(registry, 9, "a", "acme") == ("bc", None)
    assert ids(registry, 9, "d") == ("", None)


def test_a_key_is_shown_without_its_digest(registry: KeyRegistry) -> None:
    found = shown(registry, "b")
    assert (found["last_used"], found["secrets"]) == ("2027-01-15T08:00:00Z", [{"until": None}])
    with pytest.raises(KeyChangeError, match="there is no key `z`"):
        shown(registry, "z")
