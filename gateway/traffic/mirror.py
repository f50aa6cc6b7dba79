"""Sends copies of calls to another upstream, to see whether it would answer alike.

Laws:
 - The client never waits for a copy, and is never told of it.
 - At most `MOST_COPIES` copies of a route are under way; further ones are not made.
 - Only calls whose body is in memory are copied, and no handshakes. Of answers at most `LONGEST_COMPARED_BYTES` are
   compared.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import msgspec

from gateway.kernel.copies import replace
from gateway.kernel.faults import GatewayError
from gateway.kernel.traffic.json_shape import shape_differences
from gateway.traffic.split import Destination
from gateway.upstream.call import Answer, Call, line_value

MOST_COPIES = 100
LONGEST_COMPARED_BYTES = 32 * 1024
_KEPT = 50

MirrorResult: TypeAlias = Literal["sent", "same", "status", "shape", "failed", "skipped"]
"""`sent` where nothing is compared. `skipped`: there were too many copies under way."""


class MirrorMismatch(msgspec.Struct, frozen=True):
    """A copy that was answered differently. `at` is Unix time in seconds.

    `differences` are those of the JSON, without any value; empty when the statuses are different.
    """

    at: float
    request_id: str
    route: str
    method: str
    upstream: str
    mirror: str
    status: int
    mirror_status: int
    differences: list[str]


class MirrorCounter(Protocol):
    """Counts copies."""

    def __call__(self, route: str, result: MirrorResult) -> None: ...


class MirrorLog:
    """Counts the copies of all routes, and keeps the last mismatches. `id_field` is that of the request id."""

    def __init__(self, count: MirrorCounter, wall: Callable[[], float], id_field: str) -> None:
        self.count = count
        self.mismatches: deque[MirrorMismatch] = deque(maxlen=_KEPT)
        self._wall = wall
        self._id_field = id_field.encode()

    @classmethod
    def silent(cls) -> "MirrorLog":
        """Return one for a table that sends nothing."""
        return cls(lambda _route, _result: None, lambda: 0.0, "")

    def keep(
        self, route: str, call: Call, upstreams: tuple[str, str], statuses: tuple[int, int], differences: list[str]
    ) -> None:
        """Keep a mismatch of `call`: the upstream and the mirror, and the status of each."""
        request_id = line_value(call.head, self._id_field)
        self.mismatches.append(
            MirrorMismatch(self._wall(), request_id, route, call.method.decode(), *upstreams, *statuses, differences)
        )


class Mirror:
    """Passes calls on to `behind`, and copies `share` of them to `mirror`. `chance` is from 0 up to 1."""

    def __init__(
        self,
        route: str,
        behind: Destination,
        mirror: Destination,
        share: float,
        log: MirrorLog,
        chance: Callable[[], float],
        *,
        compare: bool,
    ) -> None:
        self.id = behind.id
        self._route = route
        self._behind = behind
        self._mirror = mirror
        self._share = share
        self._log = log
        self._chance = chance
        self._compare = compare
        self._copies: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Mirror of {self.id} at {self._mirror.id}, {len(self._copies)} copies under way>"

    async def send(self, call: Call) -> Answer:
        """Do what `behind.send` does."""
        if self._chance() >= self._share or not isinstance(call.body, bytes) or call.upgrade_mask:
            return await self._behind.send(call)
        if len(self._copies) >= MOST_COPIES:
            self._log.count(self._route, "skipped")
            return await self._behind.send(call)
        loop = asyncio.get_running_loop()
        original: asyncio.Future[_Original | None] = loop.create_future()
        copy = replace(call, buffer_bytes=LONGEST_COMPARED_BYTES, read_ahead_bytes=0)
        task = loop.create_task(self._send_copy(copy, original))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)
        answer = None
        try:
            answer = await self._behind.send(call)
            return answer
        finally:
            original.set_result(
                None if answer is None else _Original(call.upstream or self.id, answer.status, _compared(answer))
            )

    async def _send_copy(self, call: Call, original: "asyncio.Future[_Original | None]") -> None:
        try:
            answer = await self._mirror.send(call)
        except GatewayError:
            self._log.count(self._route, "failed")
            return
        if answer.stream is not None:
            answer.stream.close()
        compared = await original if self._compare else None
        if compared is None:
            self._log.count(self._route, "sent")
            return
        result: MirrorResult = "same"
        differences: list[str] = []
        if compared.status != answer.status:
            result = "status"
        elif compared.body is not None and (body := _compared(answer)) is not None:
            differences = shape_differences(compared.body, body)
            result = "shape" if differences else "same"
        self._log.count(self._route, result)
        if result != "same":
            upstreams, statuses = (compared.upstream, self._mirror.id), (compared.status, answer.status)
            self._log.keep(self._route, call, upstreams, statuses, differences)


class _Original(msgspec.Struct):
    """The answer that is compared. `body` is None where it was streamed, or is too large."""

    upstream: str
    status: int
    body: bytes | None


def _compared(answer: Answer) -> bytes | None:
    return answer.body if answer.stream is None and len(answer.body) <= LONGEST_COMPARED_BYTES else None
