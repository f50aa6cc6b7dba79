import pytest

from gateway.key_management.description import described, instant_of
from gateway.keystore.records import Secret, StoredKey

STORED = StoredKey(
    {"id": "a", "routes": ["x"], "expires": "2027-01-15T08:00:00Z"},
    (Secret("1" * 64), Secret("2" * 64, "2027-01-01T00:00:00Z")),
    "2026-01-01T00:00:00Z",
)
NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(("now_s", "state"), [(NOW_S - 1, "valid"), (NOW_S, "expired")])
def test_a_key_is_described_without_digests(now_s: float, state: str) -> None:
    assert described(STORED, NOW_S - 60, now_s, with_digests=False) == {
        "id": "a",
        "state": state,
        "plan": "standard",
        "routes": ["x"],
        "expires": "2027-01-15T08:00:00Z",
        "created": "2026-01-01T00:00:00Z",
        "rotated": None,
        "last_used": "2027-01-15T07:59:00Z",
        "secrets": [{"until": None}, {"until": "2027-01-01T00:00:00Z"}],
    }


def test_an_operator_sees_digests() -> None:
    stored = StoredKey({"id": "a", "disabled": True}, STORED.secrets, "2026-01-01T00:00:00Z")
    found = described(stored, None, NOW_S, with_digests=True)
    assert (found["state"], found["last_used"]) == ("disabled", None)
    assert found["secrets"][0] == {"sha256": "1" * 64, "until": None}


def test_instants_are_whole_seconds() -> None:
    assert instant_of(NOW_S + 0.9) == "2027-01-15T08:00:00Z"
