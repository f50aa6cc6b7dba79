"""keystore/key_audit.py: what is recorded of changes of keys, without their digests."""

import json
from collections.abc import Mapping

import msgspec
import pytest

from gateway.audit.query import AuditQuery
from gateway.audit.records import AuditEntry
from gateway.audit.redis_stream import read_records
from gateway.keystore.key_audit import MOST_RECORDS, KeyAuthor, key_entries
from gateway.keystore.records import KeyNames, Secret, StoredKey
from gateway.keystore.registry import KeyRegistry
from gateway.redis_client.blocking_client import client_for
from tests.audited import ALICE
from tests.redis_server import RedisProcess

AUTHOR = KeyAuthor(ALICE, "keys.update")
OLD = StoredKey({"id": "a", "plan": "gold", "routes": ["x"]}, (Secret("1" * 64),), "2026-01-01T00:00:00Z")
NEW = StoredKey(
    {"id": "a", "plan": "gold", "routes": ["y"]},
    (Secret("2" * 64), Secret("1" * 64, "2027-01-01T00:00:00Z")),
    "2026-01-01T00:00:00Z",
)
SHOWN_OLD = {"plan": "gold", "routes": ["x"], "created": "2026-01-01T00:00:00Z", "rotated": None, "proofs": ["valid"]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"a": OLD}, (None, SHOWN_OLD)),
        ({"a": OLD}, {"a": None}, (SHOWN_OLD, None)),
        (
            {"a": OLD},
            {"a": NEW},
            (
                {"routes": ["x"], "proofs": ["valid"]},
                {"routes": ["y"], "proofs": ["valid", "valid until 2027-01-01T00:00:00Z"]},
            ),
        ),
    ],
)
def test_a_change_has_what_differs(
    before: Mapping[str, StoredKey], after: Mapping[str, StoredKey | None], expected: tuple[object, object]
) -> None:
    assert list(key_entries(AUTHOR, before, after)) == [AuditEntry(ALICE, "keys.update", "a", *expected)]


def test_a_large_import_is_one_record() -> None:
    after = {f"k{number:03}": OLD for number in range(MOST_RECORDS + 1)}
    (found,) = key_entries(AUTHOR, {"k000": OLD}, after)
    assert (found.object, found.before) == (f"{MOST_RECORDS + 1} keys", {"keys": 1})
    assert found.after["ids"][-2:] == ["k099", "and 1 more"]


def test_the_record_is_made_with_the_change(redis_server: RedisProcess) -> None:
    client = client_for(redis_server.url, KeyNames.of("gw").ids)
    registry = KeyRegistry(client, "gw")
    registry.change(["a"], lambda _: {"a": OLD}, AUTHOR)
    registry.change(["a"], lambda _: {}, AUTHOR)
    registry.change(["a"], lambda _: {"a": NEW}, AUTHOR)
    client.close()
    newest, oldest = read_records(redis_server.url, "gw", AuditQuery())
    assert (newest.who, newest.origin, newest.action, newest.object) == ("alice", "laptop", "keys.update", "a")
    assert (oldest.before, oldest.after) == (None, SHOWN_OLD)
    shown = json.dumps([msgspec.to_builtins(each) for each in (newest, oldest)])
    assert "1111" not in shown
    assert "2222" not in shown
