"""Entity tags on both sides of an envelope.

A strong tag names the bytes of a service's body, which an envelope changes: to clients it becomes weak (RFC 9110,
8.8.1). What a client sends back is for the service, which compares with its own: a tag that was weakened here is strong
again, one that the service itself gave weak stays weak.
"""

import re

from gateway.kernel.memo import Memo

_MOST = 1024

_TAGS = re.compile(r'"[^"]*"|W/("[^"]*"|[^",\s]+)')


class EntityTags:
    """Remembers which tags the service of a route gave weak, the newest `_MOST` of them.

    An unknown tag, perhaps one that another worker has seen, counts as the last one that was seen.
    """

    __slots__ = ("_last", "_weak")

    def __init__(self) -> None:
        self._weak: Memo[str, bool] = Memo(_MOST)
        self._last = False

    def weakened(self, tag: str) -> str:
        """Return the tag for clients. `tag` is the service's."""
        weak = tag.startswith("W/")
        self._last = self._weak.keep(tag.removeprefix("W/"), weak)
        return tag if weak else "W/" + tag

    def restored(self, tags: bytes) -> bytes:
        """Return the tags for the service. `tags` is the value of a client's If-Match, If-None-Match or If-Range."""
        return _TAGS.sub(self._restored, tags.decode("latin-1")).encode("latin-1")

    def _restored(self, found: "re.Match[str]") -> str:
        strong: str | None = found[1]
        return found[0] if strong is None or self._weak.get(strong, self._last) else strong
