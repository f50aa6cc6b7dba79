"""A bounded dict for values that can be computed again."""

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(dict[K, V]):
    """Remembers computed values by key, up to `most` entries.

    A full memo is emptied before it takes another entry. That is cheaper than tracking which entry was used last, and a
    value that was dropped is computed again. Look-ups are those of a plain dict and cost no Python call. `initial`
    entries are put in at once and again after each emptying; `most` must exceed their number.
    """

    __slots__ = ("_initial", "most")

    def __init__(self, most: int, initial: Mapping[K, V] | None = None) -> None:
        super().__init__(initial or {})
        self.most = most
        self._initial = initial

    def keep(self, key: K, value: V) -> V:
        """Remember `value` and return it."""
        if len(self) >= self.most:
            self.clear()
            if self._initial is not None:
                self.update(self._initial)
        self[key] = value
        return value
