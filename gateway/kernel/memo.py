"""A bounded dict for values that can be computed again."""

from collections.abc import Mapping
from itertools import islice
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MANY_CALLERS = 32_768
"""What is computed for callers is remembered for so many of them."""
_DROPPED_PART = 4


class Memo(dict[K, V]):
    """Remembers computed values by key, up to `most` entries.

    Before a full memo takes another entry, it drops the quarter that it has remembered for longest: the others, which
    are in use likelier, are not computed again. Look-ups are those of a plain dict and cost no Python call. `initial`
    entries are never dropped; `most` must exceed their number.
    """

    __slots__ = ("_initial", "most")

    def __init__(self, most: int, initial: Mapping[K, V] | None = None) -> None:
        super().__init__(initial or {})
        self.most = most
        self._initial: Mapping[K, V] = {} if initial is None else initial

    def keep(self, key: K, value: V) -> V:
        """Remember `value` and return it."""
        if len(self) >= self.most:
            self._drop_oldest()
        self[key] = value
        return value

    def _drop_oldest(self) -> None:
        count = 1 + (len(self) - len(self._initial)) // _DROPPED_PART
        for key in list(islice((key for key in self if key not in self._initial), count)):
            del self[key]
