"""The format of API keys that are made here: `gw_`, 32 random characters, and a checksum of 6.

The prefix lets people and secret scanners recognise one in a place where it should not be, the checksum lets them rule
out a chance likeness without asking a gateway. Secrets from elsewhere have any other form.
"""

import re
import string
import zlib

PREFIX = "gw_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_CHARACTERS = 32
"""190 bits: not to be guessed, so the digest needs neither salt nor a slow hash."""
CHECKSUM_CHARACTERS = 6
_FORM = re.compile(f"{PREFIX}([0-9A-Za-z]{{{RANDOM_CHARACTERS}}})([0-9A-Za-z]{{{CHECKSUM_CHARACTERS}}})", re.ASCII)
_ANYWHERE = re.compile(f"{PREFIX}[0-9A-Za-z]{{{RANDOM_CHARACTERS},}}", re.ASCII)


def checksum(body: str) -> str:
    """CRC-32 of the random characters in base 62, most significant digit first, filled up with zeros."""
    rest = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def is_misspelt(secret: str) -> bool:
    """Return whether `secret` has the form of a key made here and a wrong checksum, and so need not be looked up."""
    form = _FORM.fullmatch(secret)
    return form is not None and checksum(form[1]) != form[2]


def without_keys(text: str) -> str:
    """Return `text` with `gw_***` in place of everything that has the form of a key that was made here."""
    return _ANYWHERE.sub(f"{PREFIX}***", text) if PREFIX in text else text
