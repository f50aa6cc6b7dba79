"""Keeps what was captured of exchanges that failed: the newest, in bounded memory of one worker.

It ends with the worker, because it is about what happens now: a reload or a restart begins anew.
"""

from collections import deque
from typing import Literal

import msgspec

MOST = 256
MOST_BYTES = 4 << 20


class CapturedBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The start of a body. `length` is that of the whole body in bytes, None if it is not known.

    `text` is None where nothing may be shown, and `withheld` says why: nothing of the body was read (`unread`), its
    type or its coding cannot be redacted, or a secret stands in it in another spelling. `cut`: the body goes on.
    """

    type: str | None = None
    length: int | None = None
    text: str | None = None
    cut: bool = False
    withheld: Literal["unread", "type", "coding", "secret"] | None = None


class CapturedMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request, or the answer of a service. `fields` are header fields in their order, masked."""

    fields: list[tuple[str, str]]
    body: CapturedBody | None = None
    status: int | None = None
    target: str | None = None


class CaptureSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """An exchange that failed. `at` is Unix time in seconds, `reason` the fault, `code` the contract's code."""

    at: float
    request_id: str
    trace_id: str
    status: int
    method: str
    outcome: str
    code: int | None = None
    route: str | None = None
    reason: str | None = None
    key_id: str | None = None
    organization: str | None = None


class Capture(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was captured of an exchange. `path` and `query` are None where a key may stand in them."""

    summary: CaptureSummary
    request: CapturedMessage
    path: str | None = None
    query: str | None = None
    answer: CapturedMessage | None = None


class Captures:
    """The newest captures: at most `most`, and `most_bytes` of them as JSON."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: deque[tuple[Capture, int]] = deque()
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<Captures {len(self._kept)} of {self._bytes} bytes>"

    def keep(self, capture: Capture) -> None:
        """Keep `capture`, and forget the oldest ones for it."""
        size = len(msgspec.json.encode(capture))
        self._kept.append((capture, size))
        self._bytes += size
        while self._kept and (len(self._kept) > self._most or self._bytes > self._most_bytes):
            self._bytes -= self._kept.popleft()[1]

    def summaries(self) -> list[CaptureSummary]:
        return [capture.summary for capture, _ in self._kept]

    def find(self, request_id: str) -> Capture | None:
        """Return the newest one of this request, None if there is none."""
        return next((each for each, _ in reversed(self._kept) if each.summary.request_id == request_id), None)
