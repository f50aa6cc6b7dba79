"""Keys in Redis, listed and shown without their digests."""

from heapq import nsmallest
from typing import Any, NamedTuple

from gateway.key_management.description import described
from gateway.key_management.edits import existing
from gateway.keystore.registry import KeyRegistry


class KeySelection(NamedTuple):
    """The first `limit` keys in the order of their ids, after one of them ("" for all), of one organisation or all."""

    limit: int
    after: str
    organization: str | None


def listed(registry: KeyRegistry, selection: KeySelection) -> dict[str, Any]:
    """Return a page of keys. `next` is the id after which the next page begins, None at the end."""
    found = nsmallest(  # of all keys only those of the page are in memory
        selection.limit + 1,
        (
            stored
            for stored in registry.all()
            if str(stored.key["id"]) > selection.after
            and (selection.organization is None or selection.organization in stored.key.get("organizations", ()))
        ),
        key=lambda stored: str(stored.key["id"]),
    )
    page = found[: selection.limit]
    used, now_s = registry.used(stored.key["id"] for stored in page), registry.now_s()
    keys = [described(stored, used.get(stored.key["id"]), now_s, with_digests=False) for stored in page]
    return {"keys": keys, "next": page[-1].key["id"] if len(found) > len(page) else None}


def shown(registry: KeyRegistry, key_id: str) -> dict[str, Any]:
    """Return one key. Raises KeyChangeError when there is none."""
    stored = existing(registry.find(key_id), key_id)
    return described(stored, registry.used([key_id]).get(key_id), registry.now_s(), with_digests=False)
