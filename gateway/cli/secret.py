"""Makes secrets of API keys, in the form of `gateway.kernel.key_format`."""

import hashlib
import secrets

from gateway.kernel.key_format import ALPHABET, PREFIX, RANDOM_CHARACTERS, checksum


def create() -> str:
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return PREFIX + body + checksum(body)


def digest(secret: str) -> str:
    """What a configuration holds of a secret: `secret_sha256`."""
    return hashlib.sha256(secret.encode()).hexdigest()
