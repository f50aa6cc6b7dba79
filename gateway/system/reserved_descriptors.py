"""Descriptors that are kept free for what must not fail for want of them."""

import contextlib
import os
from collections.abc import Iterator

RESERVED = 16
"""More than it takes to start a worker: two sockets, two memory files, the list of what the child closes."""


class Reserve:
    """`count` descriptors, held so that nobody else gets them."""

    def __init__(self, count: int = RESERVED) -> None:
        self._count = count
        self._held: list[int] = []
        self._fill()

    def __repr__(self) -> str:
        return f"<Reserve {len(self._held)}/{self._count} descriptors>"

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """They are free inside. Afterwards as many are held again as can be had."""
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
