"""Creates secrets of API keys, in the format of `gateway.kernel.key_format`."""

import hashlib
import secrets

from gateway.kernel.key_format import ALPHABET, PREFIX, RANDOM_CHARACTERS, checksum


def create() -> str:
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return PREFIX + body + checksum(body)


def digest(secret: str) -> str:
    """Return the value of `secret_sha256` in a configuration."""
    return hashlib.sha256(secret.encode()).hexdigest()


def default_id(secret: str) -> str:
    """Return the id of a key that is given none."""
    return f"key-{digest(secret)[:8]}"
