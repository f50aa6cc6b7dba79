"""kernel/key_format.py: the form of keys that were made here."""

import zlib

import pytest

from gateway.kernel.key_format import ALPHABET, PREFIX, checksum, is_misspelt, without_keys

BODY = "0123456789ABCDEFGHIJKLMNOPQRSTUV"


def test_the_checksum_is_the_crc_of_the_random_part() -> None:
    value = 0
    for character in checksum(BODY):
        value = value * 62 + ALPHABET.index(character)
    assert value == zlib.crc32(BODY.encode())


def test_a_small_checksum_keeps_its_length() -> None:
    assert checksum("") == "000000"


@pytest.mark.parametrize(
    ("secret", "misspelt"),
    [
        (PREFIX + BODY + checksum(BODY), False),
        (PREFIX + BODY[1:] + "W" + checksum(BODY), True),
        (PREFIX + BODY.lower() + checksum(BODY), True),
        # of another form: a secret from elsewhere
        (PREFIX + BODY + checksum(BODY) + "0", False),
        (PREFIX + BODY[:-1] + "-" + checksum(BODY), False),
        ("GW_" + BODY + "000000", False),
        ("sk_live_0123456789", False),
        ("", False),
    ],
)
def test_a_slip_is_seen_in_secrets_of_this_form_only(secret: str, *, misspelt: bool) -> None:
    assert is_misspelt(secret) is misspelt


def test_keys_are_found_inside_a_text() -> None:
    assert without_keys(f"/v1/{PREFIX}{BODY}{checksum(BODY)}/x?a={PREFIX}{BODY}") == "/v1/gw_***/x?a=gw_***"
    assert without_keys(f"/v1/{PREFIX}short") == f"/v1/{PREFIX}short"
    assert without_keys("/v1") == "/v1"
