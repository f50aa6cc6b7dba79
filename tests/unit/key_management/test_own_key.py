"""key_management/own_key.py: a holder sees all about its key but the secret, and cannot lock itself out."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.audit.records import AuditRecord
from gateway.key_management.own_key import MOST_SECRETS, OwnKeys
from gateway.key_management.registry_access import KeyChangeError
from gateway.key_management.secret import digest
from gateway.keystore.records import Secret, StoredKey
from gateway.keystore.writer import KeyContent

NOW_S = 1_800_000_000.0
KEY = StoredKey({"id": "a", "plan": "gold", "routes": ["x"]}, (Secret("1" * 64),), "2026-01-01T00:00:00Z")


class Store:
    """A key; `lost` writes find that somebody else was faster."""

    def __init__(self, stored: StoredKey | None = KEY, lost: int = 0) -> None:
        self.stored = stored
        self.records: list[AuditRecord] = []
        self._lost = lost

    async def read(self, key_id: str) -> KeyContent | None:
        return None if self.stored is None else KeyContent(self.stored, b"", NOW_S - 60)

    async def replace(self, before: KeyContent, after: StoredKey, record: AuditRecord) -> bool:
        if self._lost:
            self._lost -= 1
            return False
        self.stored = after
        self.records.append(record)
        return True


def own(store: Store) -> OwnKeys:
    return OwnKeys(store, lambda: NOW_S, "gw-1")


async def test_a_key_is_shown() -> None:
    shown: dict[str, Any] = await own(Store()).show("a")
    assert shown == {
        "id": "a",
        "plan": "gold",
        "organizations": [],
        "allow": [],
        "deny": [],
        "referrers": [],
        "routes": ["x"],
        "methods": None,
        "expires": None,
        "created": "2026-01-01T00:00:00Z",
        "rotated": None,
        "lastUsed": "2027-01-15T07:59:00Z",
        "secrets": [{"validUntil": None}],
    }


async def test_a_rotation_is_recorded_for_the_key_and_its_client() -> None:
    store = Store(lost=2)
    with capture_logs() as lines:
        new = await own(store).rotate("a", 3600.0, "192.0.2.7")
    assert new.old_valid_until == "2027-01-15T09:00:00Z"
    assert store.stored is not None
    assert store.stored.secrets == (Secret(digest(new.secret)), Secret("1" * 64, "2027-01-15T09:00:00Z"))
    (record,) = store.records
    assert (record.who, record.origin, record.action, record.object) == ("key a", "192.0.2.7", "keys.rotate", "a")
    assert [(line["event"], line["id"]) for line in lines] == [("audit", record.id)]
    assert new.secret not in str(lines)
    assert digest(new.secret) not in str(lines)


async def test_somebody_who_is_always_faster_wins() -> None:
    with pytest.raises(KeyChangeError) as refused:
        await own(Store(lost=3)).rotate("a", 3600.0, "192.0.2.7")
    assert refused.value.reason == "conflict"


async def test_a_key_has_a_bounded_number_of_secrets() -> None:
    store = Store()
    with capture_logs():
        for _ in range(MOST_SECRETS - 1):
            await own(store).rotate("a", 3600.0, "192.0.2.7")
    with pytest.raises(KeyChangeError, match="10 secrets of the key are valid; wait until one ends") as refused:
        await own(store).rotate("a", 3600.0, "192.0.2.7")
    assert (refused.value.reason, len(store.records)) == ("invalid", MOST_SECRETS - 1)


async def test_a_key_that_was_deleted_is_unknown() -> None:
    with pytest.raises(KeyChangeError) as refused:
        await own(Store(None)).show("a")
    assert refused.value.reason == "unknown"
