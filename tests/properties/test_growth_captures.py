"""What is captured of a body costs time linear in its size, whatever it holds."""

import pytest

from gateway.capture.body_redaction import BodyRedaction
from gateway.capture.known_secrets import KnownSecrets
from tests.growth import Work, check_growth
from tests.untrusted import UNITS, fill, shown

SIZE = 3_000
REDACTION = BodyRedaction(["iban", "$.card.number", "$.a[*].b"], ("X-Api-Key",))
SECRETS = KnownSecrets(["known-key-0123456789", "a" * 2000, "%41" * 200])
BODIES = [
    *UNITS,
    b'{"a":',
    b'{"a":[',
    b'"password":',
    b'"password":"',
    b"password=",
    b"token",
    b"token:[",
    b"://a:b",
    b"bearer ",
    b'{"password":{',
    b"aaaaaaa",
    b"\\u0061",
]


def redacting(text: str) -> Work:
    return lambda: (REDACTION.of("json", text), REDACTION.of("form", text))


@pytest.mark.parametrize("unit", BODIES, ids=shown)
def test_redaction(unit: bytes) -> None:
    check_growth(lambda size: redacting(fill(unit, size).decode("utf-8", "replace")), SIZE)


@pytest.mark.parametrize("unit", BODIES, ids=shown)
def test_masking(unit: bytes) -> None:
    def prepare(size: int) -> Work:
        text = fill(unit, size)
        return lambda: SECRETS.mask(text)

    check_growth(prepare, SIZE)
