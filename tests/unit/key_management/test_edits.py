"""key_management/edits.py: each change is made, recorded, and refused with its reason."""

from collections.abc import Iterator

import pytest

from gateway.key_management.edits import (
    apply_update,
    create_key,
    delete_key,
    disable_key,
    existing,
    plan_update,
    rotate_key,
    rotated,
)
from gateway.key_management.registry_access import KeyChangeError, open_registry
from gateway.key_management.secret import create, digest
from gateway.keystore.key_audit import KeyAuthor
from gateway.keystore.records import Secret, StoredKey
from gateway.keystore.registry import KeyRegistry
from gateway.settings import parse
from tests.audited import ALICE
from tests.redis_server import RedisProcess
from tests.unit.cli.stored import PREAMBLE

AUTHOR = KeyAuthor(ALICE, "keys.test", "gw-1")


@pytest.fixture
def registry(module_redis: RedisProcess) -> Iterator[KeyRegistry]:
    module_redis.ask("FLUSHALL")
    config = parse(PREAMBLE + f"redis: {{url: '{module_redis.url}'}}\nkeys: {{store: redis}}\n")
    with open_registry(config) as registry:
        yield registry


CONFIG = parse(PREAMBLE + "redis: {url: 'redis://h'}\nkeys: {store: redis}\n", environ={})


def test_a_key_is_created_once(registry: KeyRegistry) -> None:
    made = create()
    new = create_key(registry, AUTHOR, {"id": "a"}, made)
    assert (new.secret, new.old_valid_until, new.records[0].gateway) == (made, None, "gw-1")
    assert existing(registry.find("a"), "a").secrets == (Secret(digest(made)),)
    with pytest.raises(KeyChangeError, match="`a` is the id of another one") as refused:
        create_key(registry, AUTHOR, {"id": "a"}, create())
    assert refused.value.reason == "taken"


def test_a_key_is_rotated_disabled_enabled_and_deleted(registry: KeyRegistry) -> None:
    create_key(registry, AUTHOR, {"id": "a"}, create())
    new = rotate_key(registry, AUTHOR, "a", 3600.0)
    stored = existing(registry.find("a"), "a")
    assert stored.secrets[0].sha256 == digest(new.secret)
    assert stored.secrets[1].until == new.old_valid_until
    disable_key(registry, AUTHOR, "a", disabled=True)
    assert existing(registry.find("a"), "a").key["disabled"] is True
    disable_key(registry, AUTHOR, "a", disabled=False)
    assert existing(registry.find("a"), "a").key["disabled"] is False
    (record,) = delete_key(registry, AUTHOR, "a")
    assert (record.who, record.object) == ("alice", "a")
    for change in (lambda: delete_key(registry, AUTHOR, "a"), lambda: rotate_key(registry, AUTHOR, "a", 0.0)):
        with pytest.raises(KeyChangeError, match="there is no key `a`") as refused:
            change()
        assert refused.value.reason == "unknown"


def test_old_secrets_end_as_early_as_was_said_before() -> None:
    early, late = Secret("1" * 64, "2027-01-01T00:00:00Z"), Secret("2" * 64)
    ended = Secret("3" * 64, "2026-01-01T00:00:00Z")
    stored = StoredKey({"id": "a"}, (late, early, ended), "2026-01-01T00:00:00Z")
    after = rotated(stored, "4" * 64, "2027-01-15T08:00:00Z", 1_790_000_000.0)
    assert after.secrets == (Secret("4" * 64), Secret("2" * 64, "2027-01-15T08:00:00Z"), early)
    assert after.rotated == "2026-09-21T14:13:20Z"


def test_an_update_is_planned_and_applied_to_what_was_seen(registry: KeyRegistry) -> None:
    create_key(registry, AUTHOR, {"id": "a"}, create())
    planned = plan_update(CONFIG, existing(registry.find("a"), "a"), {"id": "a", "plan": "gold"})
    assert [change.aspect for change in planned.changes] == ["plan"]
    (record,) = apply_update(registry, AUTHOR, planned)
    assert record.after == {"plan": "gold"}
    with pytest.raises(KeyChangeError, match="somebody else has just changed `a`") as refused:
        apply_update(registry, AUTHOR, planned)
    assert refused.value.reason == "conflict"
    with pytest.raises(KeyChangeError, match="silver"):
        plan_update(CONFIG, planned.before, {"id": "a", "plan": "silver"})
