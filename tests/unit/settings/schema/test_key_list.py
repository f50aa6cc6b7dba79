"""settings/schema/key_list.py: a list of keys like any other, in less memory."""

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.key_list import KeyList, Likeness, Rows

MODELS = [
    KeySettings(id="model-0", secret_sha256="0" * 64, plan="gold"),
    KeySettings(id="model-1", secret_sha256="1" * 64, disabled=True),
]
ROWS = Rows(["cc" * 32, "aa" * 32, "bb" * 32], ["third", "first", "second"], [0, 1, 0])
KEYS = KeyList(MODELS, [Likeness(MODELS, ROWS)])


def test_it_is_a_sequence() -> None:
    assert len(KEYS) == 5
    assert [key.id for key in KEYS] == ["model-0", "model-1", "first", "second", "third"]
    assert [KEYS[at].id for at in (0, 2, 4, -1)] == ["model-0", "first", "third", "third"]
    assert [key.id for key in KEYS[1:3]] == ["model-1", "first"]
    with pytest.raises(IndexError):
        KEYS[5]


def test_a_key_has_all_of_its_model_but_id_and_digest() -> None:
    assert KEYS[2] == KeySettings(id="first", secret_sha256="aa" * 32, disabled=True)
    assert KEYS[4] == KeySettings(id="third", secret_sha256="cc" * 32, plan="gold")
    assert KEYS[4].model_fields_set == {"id", "secret_sha256", "plan"}


def test_keys_are_found_by_digest() -> None:
    two = KeyList(MODELS, [Likeness(MODELS, ROWS), Likeness(MODELS, Rows(["dd" * 32], ["fourth"], [1]))])
    for byte, name in ((0xAA, "first"), (0xCC, "third"), (0xDD, "fourth")):
        found = two.find(bytes([byte]) * 32)
        assert found is not None
        assert found.id == name
    for byte in (0x00, 0xAB, 0xFF):
        assert two.find(bytes([byte]) * 32) is None
    assert two[-1].id == "fourth"


def test_keys_are_found_by_id() -> None:
    for name in ("model-1", "first", "second", "third"):
        found = KEYS.named(name)
        assert found is not None
        assert found.id == name
    for name in ("", "irst", "firs", "first\nsecond", "\n"):
        assert KEYS.named(name) is None


def test_lists_with_other_keys_are_others() -> None:
    other = KeyList(
        MODELS, [Likeness(MODELS, Rows(["cc" * 32, "aa" * 32, "bb" * 32], ["third", "first", "second"], [0, 0, 0]))]
    )
    assert other != KEYS
    assert repr(KEYS) != repr(other)
    assert KeyList([*KEYS]) == KEYS
    assert KeyList(MODELS) != KEYS
    assert repr(KEYS) == repr(KeyList(MODELS, [Likeness(MODELS, ROWS)]))
    assert len(repr(KEYS)) < 80


def test_a_model_may_have_one() -> None:
    found = TypeAdapter(KeyList).validate_python([{"id": "a", "secret_sha256": "a" * 64}])
    assert isinstance(found, KeyList)
    assert [key.id for key in found] == ["a"]
    with pytest.raises(ValidationError):
        TypeAdapter(KeyList).validate_python([{"id": 1}])
