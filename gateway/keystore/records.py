"""The format of API keys in Redis, which `gateway keys` writes and gateways read.

    <prefix>:1:{keys}:proofs    hash     by a proof of the key (below): an entry of `keys`, as JSON
    <prefix>:1:{keys}:ids       hash     by the id of the key: the same with the digests of all its secrets, for editing
    <prefix>:1:{keys}:changes   list     the latest changes, newest first: a unique name, and the proofs changed
    <prefix>:1:{keys}:used      hash     by the id of the key: when it was last used, in seconds of Unix time
    <prefix>:1:{keys}:changed   channel  a message after each change; its content has no meaning

A proof is the SHA-256 digest of a secret in hexadecimal digits, or `certificate:` and that of a subject, which no
secret has as its digest. All names have one hash tag: in a Cluster they lie on one node, where a change is one
transaction.
"""

from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

VERSION = 1
TAG = "keys"
CHANGES_KEPT = 256
MOST_BYTES = 32 * 1024
"""The largest entry in bytes. A worker parses it between requests, which wait meanwhile."""
EVERYTHING = b"*"
"""Stands for all proofs in a change of too many keys to list them."""


class KeyNames(NamedTuple):
    """The names of the Redis keys."""

    proofs: str
    ids: str
    changes: str
    used: str
    changed: str

    @classmethod
    def of(cls, key_prefix: str) -> "KeyNames":
        """Return the names under a prefix."""
        return cls(*(f"{key_prefix}:{VERSION}:{{{TAG}}}:{name}" for name in cls._fields))


def proof_of_secret(secret: str) -> str:
    """Return the proof of a key by one of its secrets."""
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def proof_of_certificate(subject: str) -> str:
    """Return the proof of a key by the subject of its client certificate."""
    return f"certificate:{sha256(subject.encode()).hexdigest()}"


class Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """A digest, and the instant (RFC 3339) at which the secret expires; None when it does with the key."""

    sha256: str
    until: str | None = None


class StoredKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key for editing. `key` is an entry of `keys` without its `secret_sha256`; instants are RFC 3339."""

    key: dict[str, Any]
    secrets: tuple[Secret, ...]
    created: str
    rotated: str | None = None

    def entries(self) -> dict[str, bytes]:
        """Return what gateways find, by proof."""
        found = {
            secret.sha256: msgspec.json.encode({**self._until(secret.until), "secret_sha256": secret.sha256})
            for secret in self.secrets
        }
        subject = self.key.get("certificate_subject")
        if subject is not None:
            found[proof_of_certificate(subject)] = msgspec.json.encode(self.key)
        return found

    def _until(self, until: str | None) -> dict[str, Any]:
        ends = [each for each in (self.key.get("expires"), until) if each is not None]
        return {**self.key, "expires": min(ends, key=instant)} if ends else self.key


def instant(text: str) -> datetime:
    """Return the instant of an RFC 3339 text."""
    return datetime.fromisoformat(text.upper())
