"""A key in Redis as people and programs see it."""

from datetime import UTC, datetime
from typing import Any

from gateway.keystore.records import StoredKey, instant


def instant_of(wall_s: float) -> str:
    """Return an instant in the format of RFC 3339, in whole seconds."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def described(stored: StoredKey, used_s: float | None, now_s: float, *, with_digests: bool) -> dict[str, Any]:
    """Return a key with its state, when it was last used, and until when each of its secrets is valid.

    `used_s` is None for a key that was never used. Only what stays on the machine of an operator is `with_digests`.
    """
    key = {name: value for name, value in stored.key.items() if name not in ("id", "disabled", "secret_sha256")}
    expires = key.get("expires")
    ended = expires is not None and instant(expires).timestamp() <= now_s
    digests = [{"sha256": each.sha256} if with_digests else {} for each in stored.secrets]
    return {
        "id": stored.key["id"],
        "state": "disabled" if stored.key.get("disabled") else "expired" if ended else "valid",
        "plan": "standard",
        **key,
        "created": stored.created,
        "rotated": stored.rotated,
        "last_used": None if used_s is None else instant_of(used_s),
        "secrets": [{**digest, "until": each.until} for digest, each in zip(digests, stored.secrets, strict=True)],
    }
