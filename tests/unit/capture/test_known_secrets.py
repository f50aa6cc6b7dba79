import pytest

from gateway.capture.known_secrets import LONGEST_BYTES, MOST, KnownSecrets
from tests.contracts.canary import escaped, twice

KEY = "gate-Key+0123456789"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (b"nothing", "nothing"),
        (KEY.encode(), "*" * 19),
        (b"a=" + KEY.upper().encode() + b"&b", "a=" + "*" * 19 + "&b"),
        (KEY.encode() * 2, "*" * 38),
        (b"cut off: " + KEY[:12].encode(), "cut off: " + "*" * 12),
        (b"too short to be known: " + KEY[:7].encode(), "too short to be known: gate-Ke"),
        (b"gate-Key is no secret, where more follows", "gate-Key is no secret, where more follows"),
        (b"gw_" + b"a1B2" * 10, "gw_***"),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
def test_secrets_are_masked(text: bytes, masked: str) -> None:
    assert KnownSecrets([KEY]).mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        escaped(KEY.encode()),
        twice(KEY.encode()),
        b"gate-Key%2B0123456789",
        b'{"a":"gate\\u002dKey+0123456789"}',
    ],
)
def test_a_text_with_a_secret_in_another_spelling_is_not_shown(text: bytes) -> None:
    assert KnownSecrets([KEY]).mask(b"a" + text) is None


def test_an_escape_in_json_is_no_secret_by_itself() -> None:
    assert KnownSecrets([KEY]).mask(b"\\u002d") == "\\u002d"


@pytest.mark.parametrize("value", [f"Bearer {KEY}", f'"{KEY}"', f"{KEY}, {KEY}", f"({KEY})"])
def test_words_of_a_credential_are_secrets(value: str) -> None:
    assert KnownSecrets([value]).mask(KEY.encode()) == "*" * 19


def test_short_words_are_none() -> None:
    assert KnownSecrets(["a b c", ""]).mask(b"a b c") == "a b c"


@pytest.mark.parametrize("values", [["a" * (LONGEST_BYTES + 1)], [f"secret-number-{n}" for n in range(MOST + 1)]])
def test_it_is_known_what_cannot_be_searched_for(values: list[str]) -> None:
    assert not KnownSecrets(values).is_complete
    assert KnownSecrets([KEY]).is_complete
