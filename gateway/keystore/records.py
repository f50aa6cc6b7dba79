"""API keys in Redis: what is stored where, for `gateway keys`, which writes, and for gateways, which read.

    <prefix>:1:{keys}:proofs    hash     by what a caller proves to be the key: an entry of `keys`, as JSON
    <prefix>:1:{keys}:ids       hash     by the id of the key: the same with all its secrets' digests, for who edits it
    <prefix>:1:{keys}:changes   list     the latest changes, the newest first: a name that is used once, and the proofs it is about
    <prefix>:1:{keys}:used      hash     by the id of the key: when it was last used, in seconds of Unix time
    <prefix>:1:{keys}:changed   channel  something was changed; the message is of no importance

A proof is the SHA-256 digest of a secret in hexadecimal digits, or `certificate:` and that of a subject, which no secret has
as its digest. All names have one hash tag: in a Cluster they lie on one node, where a change is one transaction.
"""

from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

VERSION = 1
TAG = "keys"
CHANGES_KEPT = 256
MOST_BYTES = 32 * 1024
"""Of an entry: whoever finds it takes the time to understand it, and others wait."""
EVERYTHING = b"*"
"""In place of proofs, where a change is about too many to name."""


class KeyNames(NamedTuple):
    """In Redis."""

    proofs: str
    ids: str
    changes: str
    used: str
    changed: str

    @classmethod
    def of(cls, key_prefix: str) -> "KeyNames":
        return cls(*(f"{key_prefix}:{VERSION}:{{{TAG}}}:{name}" for name in cls._fields))


def proof_of_secret(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def proof_of_certificate(subject: str) -> str:
    return f"certificate:{sha256(subject.encode()).hexdigest()}"


class Secret(msgspec.Struct, frozen=True, omit_defaults=True):
    """A digest, and the instant (RFC 3339) from which on the secret is not valid any more; None for as long as the key is."""

    sha256: str
    until: str | None = None


class StoredKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key as those see it who edit it. `key` is an entry of `keys` without its `secret_sha256`; instants are RFC 3339."""

    key: dict[str, Any]
    secrets: tuple[Secret, ...]
    created: str
    rotated: str | None = None

    def entries(self) -> dict[str, bytes]:
        """What gateways find, by proof."""
        found = {
            secret.sha256: msgspec.json.encode({**self._until(secret.until), "secret_sha256": secret.sha256}) for secret in self.secrets
        }
        subject = self.key.get("certificate_subject")
        if subject is not None:
            found[proof_of_certificate(subject)] = msgspec.json.encode(self.key)
        return found

    def _until(self, until: str | None) -> dict[str, Any]:
        ends = [each for each in (self.key.get("expires"), until) if each is not None]
        return {**self.key, "expires": min(ends, key=instant)} if ends else self.key


def instant(text: str) -> datetime:
    """Of RFC 3339."""
    return datetime.fromisoformat(text.upper())
