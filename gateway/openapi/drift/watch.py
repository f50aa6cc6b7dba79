"""Checks answers of services after their replies have gone, one after the other, and remembers what was found.

Laws:
 - No client waits for a check: an answer lies in a queue for `_DELAY_S` first, and the event loop goes on after each
   one. A large or compressed one is checked in a thread.
 - The queue is bounded in answers and in bytes. What does not fit is not checked, and counted.
 - A difference is logged when it is found for the first time, and then only counted. What is remembered is bounded.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

import msgspec
import structlog

from gateway.openapi.drift.reply_contract import Drift, DriftKind, ReplyCheck, ReplyContract
from gateway.upstream.call import Answer, Call, Fields, line_value

INLINE_BYTES = 64 * 1024
"""More than this is checked beside the event loop, and so is what is compressed."""
MOST_WAITING = 200
MOST_WAITING_BYTES = 16 * 1024 * 1024
MOST_OF_A_ROUTE = 100
"""How many differences of a route are remembered. Further ones are counted by kind only."""
MOST_SHOWN = 200
_MOST_REMEMBERED = 5000
_DELAY_S = 0.02

ReplyResult: TypeAlias = Literal["as_described", "drift", "partial", "dropped"]
"""`partial`: as described, but for the body, which was not in memory. `dropped`: the queue was full."""


class DriftRecord(msgspec.Struct):
    """A difference between the replies of a route and their document, which was found `times` times.

    `first` and `last` are Unix times in seconds; `request_id` and `target` are those of the last time.
    """

    route: str
    status: int
    kind: DriftKind
    at: str
    text: str
    times: int
    first: float
    last: float
    request_id: str
    target: str


class _Sample(msgspec.Struct):
    """An answer as it came. Nothing else of its call is kept than the head, which has the request id."""

    route: str
    contract: ReplyContract
    method: bytes
    head: tuple[bytes, ...]
    target: str
    status: int
    fields: Fields
    body: bytes | None

    @property
    def size_bytes(self) -> int:
        return 0 if self.body is None else len(self.body)

    @property
    def is_small(self) -> bool:
        return self.size_bytes <= INLINE_BYTES and all(name != b"content-encoding" for name, _ in self.fields)

    def check(self) -> ReplyCheck:
        return self.contract.check(self.method, self.status, self.fields, self.body)


class DriftWatch:
    """Checks the answers that are taken.

    `checked` counts them by route and result, `found` those with a difference by route and kind. `id_field` is the name
    of the field with the request id.
    """

    def __init__(
        self,
        checked: Callable[[str, ReplyResult], None],
        found: Callable[[str, DriftKind], None],
        wall: Callable[[], float],
        id_field: str,
    ) -> None:
        self._checked = checked
        self._found = found
        self._wall = wall
        self._id_field = id_field.encode()
        self._waiting: deque[_Sample] = deque()
        self._waiting_bytes = 0
        self._work: asyncio.Task[None] | None = None
        self._records: dict[tuple[str, int, DriftKind, str], DriftRecord] = {}
        self._of_routes: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<DriftWatch {len(self._waiting)} waiting, {len(self._records)} differences>"

    def taker(self, route: str, contract: ReplyContract) -> Callable[[Call, Answer], None]:
        """Return what takes the answers of `route` that are to be checked."""
        return partial(self._take, route, contract)

    def records(self) -> list[DriftRecord]:
        """Return what was found last, the newest first."""
        return sorted(self._records.values(), key=lambda each: each.last, reverse=True)[:MOST_SHOWN]

    def _take(self, route: str, contract: ReplyContract, call: Call, answer: Answer) -> None:
        if call.method not in contract.methods:
            return
        body = answer.body if answer.stream is None else None
        about = (call.method, call.head, answer.target, answer.status, answer.fields, body)
        sample = _Sample(route, contract, *about)
        waiting_bytes = self._waiting_bytes + sample.size_bytes
        if len(self._waiting) >= MOST_WAITING or waiting_bytes > MOST_WAITING_BYTES:
            self._checked(route, "dropped")
            return
        self._waiting.append(sample)
        self._waiting_bytes = waiting_bytes
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._check_all())

    async def _check_all(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_DELAY_S)
                for _ in range(len(self._waiting)):
                    await self._check(self._waiting[0])
                    self._waiting_bytes -= self._waiting.popleft().size_bytes
                    await asyncio.sleep(0)
        finally:
            self._work = None

    async def _check(self, sample: _Sample) -> None:
        try:
            if sample.is_small:
                result = sample.check()
            else:
                result = await asyncio.get_running_loop().run_in_executor(None, sample.check)
        except Exception as bug:
            structlog.get_logger().error("bug", request_id=self._request_id(sample), exc_info=bug)
            return
        drifts = result.drifts
        self._checked(sample.route, "drift" if drifts else "partial" if result.partial else "as_described")
        for kind in dict.fromkeys(drift.kind for drift in drifts):
            self._found(sample.route, kind)
        for drift in {(drift.kind, drift.at): drift for drift in drifts}.values():
            self._note(sample, drift)

    def _note(self, sample: _Sample, drift: Drift) -> None:
        key = (sample.route, sample.status, drift.kind, drift.at)
        now, request_id = self._wall(), self._request_id(sample)
        known = self._records.get(key)
        if known is not None:
            known.times, known.last, known.text = known.times + 1, now, drift.text
            known.request_id, known.target = request_id, sample.target
        elif self._of_routes[sample.route] < MOST_OF_A_ROUTE and len(self._records) < _MOST_REMEMBERED:
            self._of_routes[sample.route] += 1
            self._records[key] = DriftRecord(
                sample.route, sample.status, *drift, 1, now, now, request_id, sample.target
            )
            structlog.get_logger().warning(
                "a reply is not as its document describes it",
                route=sample.route,
                status=sample.status,
                kind=drift.kind,
                at=drift.at,
                text=drift.text,
                request_id=request_id,
            )

    def _request_id(self, sample: _Sample) -> str:
        return line_value(sample.head, self._id_field)
