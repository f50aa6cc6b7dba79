"""stages/self_service.py: a caller is shown its own key and gets a new secret, and every refusal says what to send."""

import json
from typing import Any

import msgspec
import pytest

from gateway.exchange import Exchange
from gateway.kernel.faults import (
    BODY_TOO_LARGE,
    KEY_UNKNOWN,
    KEY_UNUSABLE,
    KEYS_UNAVAILABLE,
    MEDIA_TYPE_UNSUPPORTED,
    REQUEST_INVALID,
    Fault,
    GatewayError,
)
from gateway.key_management.own_key import OwnKeys
from gateway.key_management.registry_access import KeyChangeError
from gateway.keystore.records import Secret, StoredKey
from gateway.keystore.writer import KeyContent
from gateway.redis_client.address import RedisConnectionError
from gateway.stages.self_service import MOST_BODY_BYTES, self_service
from tests.samples import caller, exchange

NOW_S = 1_800_000_000.0


class Store:
    """One key, or an error in its place."""

    def __init__(self, error: Exception | None = None) -> None:
        self.stored = StoredKey({"id": "acme-ci"}, (Secret("1" * 64),), "2026-01-01T00:00:00Z")
        self._error = error

    async def read(self, key_id: str) -> KeyContent | None:
        if self._error is not None:
            raise self._error
        return KeyContent(self.stored, b"", None)

    async def replace(self, before: KeyContent, after: StoredKey, record: Any) -> bool:
        self.stored = after
        return True


class Body:
    """A request's body, in pieces."""

    length = None
    received = 0
    waited_s = 0.25

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [*pieces]

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def post(*pieces: bytes, fields: tuple[tuple[str, str], ...] = ()) -> Exchange:
    return exchange(fields, method="POST", body=Body(*pieces) if pieces else None)


def keys(store: Store) -> OwnKeys:
    return OwnKeys(store, lambda: NOW_S, "gw-1")


async def result(x: Exchange, store: Store) -> Any:
    reply = await self_service(x, caller(), keys(store))
    assert (reply.status, ("Cache-Control", "no-store") in reply.fields) == (200, True)
    return json.loads(reply.body)["data"]["result"]


async def test_a_caller_is_shown_its_key_without_its_secret() -> None:
    shown = await result(exchange(), Store())
    assert (shown["id"], shown["plan"], shown["secrets"]) == ("acme-ci", "standard", [{"validUntil": None}])
    assert "1111" not in str(shown)


@pytest.mark.parametrize(
    ("pieces", "ends"),
    [
        ((), "2027-01-16T08:00:00Z"),
        ((b" ", b"null"), "2027-01-16T08:00:00Z"),
        ((b'{"over', b'lap": "1h"}'), "2027-01-15T09:00:00Z"),
        ((b'{"overlap": null}',), "2027-01-16T08:00:00Z"),
    ],
)
async def test_a_caller_gets_a_new_secret(pieces: tuple[bytes, ...], ends: str) -> None:
    store, x = Store(), post(*pieces)
    new = await result(x, store)
    assert (new["id"], new["oldValidUntil"], new["secret"][:3]) == ("acme-ci", ends, "gw_")
    assert store.stored.secrets[1] == Secret("1" * 64, ends)
    assert x.client_s == (0.25 if pieces else 0.0)


@pytest.mark.parametrize(
    ("x", "fault", "details"),
    [
        (post(b"[]"), REQUEST_INVALID, ["The body is not a JSON object."]),
        (post(b"\xff"), REQUEST_INVALID, ["The body is not a JSON object."]),
        (post(b"[" * 1000), REQUEST_INVALID, ["The body is not a JSON object."]),
        (
            post(b'{"gw_secret": 1, "overlap": "5"}'),
            REQUEST_INVALID,
            ["`overlap` is the only member of the body.", "write a duration from 1m to 30d, such as `24h`"],
        ),
        (post(b'{"overlap": 5}'), REQUEST_INVALID, ["write a duration from 1m to 30d, such as `24h`"]),
        (post(b'{"overlap": "59s"}'), REQUEST_INVALID, ["write a duration from 1m to 30d, such as `24h`"]),
        (post(b'{"overlap": "31d"}'), REQUEST_INVALID, ["write a duration from 1m to 30d, such as `24h`"]),
        (post(b"x" * 600, b"x" * 600), BODY_TOO_LARGE, []),
        (post(b"a=1", fields=(("Content-Type", "text/plain"),)), MEDIA_TYPE_UNSUPPORTED, ["Send application/json."]),
    ],
)
async def test_other_bodies_are_refused(x: Exchange, fault: Fault, details: list[str]) -> None:
    store = Store()
    with pytest.raises(GatewayError) as refused:
        await self_service(x, caller(), keys(store))
    assert (refused.value.fault, [each.text for each in refused.value.details]) == (fault, details)
    assert len(store.stored.secrets) == 1
    assert MOST_BODY_BYTES == 1024


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (RedisConnectionError("timeout"), KEYS_UNAVAILABLE),
        (msgspec.DecodeError("torn"), KEY_UNUSABLE),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "torn"), KEY_UNUSABLE),
        (KeyChangeError("unknown", "gone"), KEY_UNKNOWN),
        (KeyChangeError("conflict", "again and again"), KEYS_UNAVAILABLE),
        (KeyChangeError("invalid", "too many"), REQUEST_INVALID),
    ],
)
async def test_what_fails_has_its_fault(error: Exception, fault: Fault) -> None:
    with pytest.raises(GatewayError) as refused:
        await self_service(exchange(), caller(), keys(Store(error)))
    assert refused.value.fault is fault
    assert [each.text for each in refused.value.details] == (["too many"] if fault is REQUEST_INVALID else [])
