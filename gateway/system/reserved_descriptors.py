"""Reserves descriptors for work that must not fail because the process has none left."""

import contextlib
import os
from collections.abc import Iterator

RESERVED = 16
"""More than the start of a worker needs: two sockets, two memory files, the list of descriptors that the child closes.
"""


class Reserve:
    """Keeps `count` descriptors open, so that no other code gets them."""

    def __init__(self, count: int = RESERVED) -> None:
        self._count = count
        self._held: list[int] = []
        self._fill()

    def __repr__(self) -> str:
        return f"<Reserve {len(self._held)}/{self._count} descriptors>"

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Free them inside the context; afterwards as many as possible are reserved again."""
        while self._held:
            os.close(self._held.pop())
        try:
            yield
        finally:
            self._fill()

    def _fill(self) -> None:
        with contextlib.suppress(OSError):
            while len(self._held) < self._count:
                self._held.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
