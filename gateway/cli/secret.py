"""Secrets of API keys: `gw_`, 32 random characters, 6 of checksum.

The prefix lets people and secret scanners recognise one in a place where it should not be, the checksum lets them rule
out a chance likeness without asking a gateway. The gateway itself takes any spelling: it compares digests only.
"""

import hashlib
import secrets
import string
import zlib

PREFIX = "gw_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_CHARACTERS = 32
"""190 bits: not to be guessed, so the digest needs neither salt nor a slow hash."""
CHECKSUM_CHARACTERS = 6


def checksum(body: str) -> str:
    """CRC-32 of the random characters in base 62, most significant digit first, filled up with zeros."""
    rest = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def create() -> str:
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return PREFIX + body + checksum(body)


def digest(secret: str) -> str:
    """What a configuration holds of a secret: `secret_sha256`."""
    return hashlib.sha256(secret.encode()).hexdigest()
