"""A deadline that is moved far more often than it expires, and the rules that move it during a call."""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Protocol

from gateway.kernel.clock import Clock
from gateway.upstream.call import Call


def _ignore() -> None:
    """Do nothing: the callback of a deadline that has ended."""


class Deadline:
    """Calls `on_expiry` once the clock has reached `at`, a reading of `clock.monotonic`.

    It starts at infinity, which is never. A timer of the event loop costs more than all other time-keeping of a call.
    Therefore one timer serves many deadlines: a later deadline only moves `at`, and a timer that fires too early is set
    again for the rest of the time. A deadline that is `ahead_s` seconds ahead, or more, needs no other timer than there
    is; infinity without a timer.
    """

    def __init__(self, on_expiry: Callable[[], None], clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self.at = self.ahead_s = inf
        self._on_expiry = on_expiry
        self._clock = clock
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        """When the timer fires, infinity while there is none."""

    def set(self, at: float) -> None:
        """Expire at `at`. To move it to a later time, or to clear it, assigning `at` is enough."""
        self.at = at
        self._watch(at)

    def due(self) -> float:
        """Return when it expires."""
        return self.at

    def cancel(self) -> None:
        self.at = inf
        if self._timer is not None:
            self._timer.cancel()
        self._no_timer()

    def end(self) -> None:
        """Never expire again, and drop the callback, so that its owner can be freed."""
        self.cancel()
        self._on_expiry = _ignore

    def _watch(self, due: float) -> None:
        """See to it that there is a timer that fires at `due`, or before."""
        if self._timer_at <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self.ahead_s = due - self._clock.monotonic()
        # The clock of the loop is coarser than `clock`: a delay of 0 would fire too early.
        self._timer = self._loop.call_later(max(0.001, self.ahead_s), self._fired)

    def _no_timer(self) -> None:
        self._timer, self._timer_at, self.ahead_s = None, inf, inf

    def _fired(self) -> None:
        self._no_timer()
        due = self.due()
        if due > self._clock.monotonic():
            self._watch(due)
        else:
            self.at = inf
            self._on_expiry()


class SentRequest(Protocol):
    """A request that was sent in one write, at `sent_at`."""

    call: Call
    sent_at: float


class Deadlines(Deadline):
    """The time-outs of one call after another.

    `request` is that of a call which was sent in one write and of whose reply nothing has arrived, None for another. In
    its place there is no `at`: the deadline follows from the request, and is worked out when the timer fires, as nearly
    all calls end before.

    Laws:
     - All of them measure the upstream only. The time that the upstream takes to accept a request counts; the time that
       a client takes to send it does not. While a client does not read what has arrived of a reply, the time-out is
       suspended.
     - `total` applies to a reply that is buffered. A reply that is streamed may last for any time, as long as the
       upstream is never silent for `idle_s`.
    """

    def __init__(self, on_expiry: Callable[[], None], clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(on_expiry, clock, loop)
        self.request: SentRequest | None = None
        self._ends_at = inf
        self._first_byte_s = self._remaining_s = 0.0
        self._idle_s: float | None = None
        self._waits_for_client = self._unread = False

    def due(self) -> float:
        request = self.request
        if request is None:
            return self.at
        return request.sent_at + min(request.call.first_byte_timeout_s, request.call.total_timeout_s)

    def sent(self, request: SentRequest) -> None:
        """Note that the whole request was sent in one write.

        For a call that allows `ahead_s` seconds, or more, it is enough to assign `request`.
        """
        self.request = request
        self._watch(self.due())

    def cancel(self) -> None:
        self.request = None
        super().cancel()

    def sending(self, call: Call) -> None:
        """Note that the request is sent in pieces, until `all_sent`."""
        self.request = self._idle_s = None
        self._ends_at = inf
        self._first_byte_s, self._remaining_s = call.first_byte_timeout_s, call.total_timeout_s
        self._waits_for_client = True

    def blocked(self) -> None:
        """Note that the upstream does not accept what is sent, until `unblocked`."""
        self._waits_for_client = False
        if self._idle_s is not None:
            self.heard()
            return
        now = self._clock.monotonic()
        self._expect(now, now + self._remaining_s, answered=False)

    def unblocked(self) -> None:
        self._waits_for_client = True
        if self._idle_s is not None:
            self.heard()
            return
        self._remaining_s = self._ends_at - self._clock.monotonic()
        self.at = self._ends_at = inf

    def all_sent(self, *, answered: bool) -> None:
        """Note that the whole request was sent. `answered`: the head of the reply has arrived already."""
        self._waits_for_client = False
        if self._idle_s is not None:
            self.heard()
            return
        now = self._clock.monotonic()
        self._expect(now, min(self._ends_at, now + self._remaining_s), answered=answered)

    def head_arrived(self) -> None:
        self._work_out()
        self.at = self._ends_at

    def streams(self, idle_s: float) -> None:
        """Note that the reply is passed on while it arrives from here on."""
        self._work_out()
        self._idle_s = idle_s
        self._unread = False
        self.heard()

    def heard(self) -> None:
        """Note that a part of a streamed reply has arrived."""
        if self._idle_s is not None and not (self._unread or self._waits_for_client):
            self.set(self._clock.monotonic() + self._idle_s)
        else:
            self.at = inf

    def unread(self, *, waiting: bool) -> None:
        """Whether received parts of a streamed reply wait for their reader."""
        self._unread = waiting
        self.heard()

    def reason(self, call: Call, *, uploading: bool) -> str:
        """Return why the deadline of `call` has just expired."""
        self._work_out()
        if self._idle_s is not None:
            return f"the reply went silent for {self._idle_s:g} s"
        if self._clock.monotonic() >= self._ends_at:
            return f"no end of the reply within {call.total_timeout_s:g} s"
        what = "the request was not taken for" if uploading else "no reply within"
        return f"{what} {call.first_byte_timeout_s:g} s"

    def _work_out(self) -> None:
        request, self.request = self.request, None
        if request is not None:
            self._idle_s = None
            self._waits_for_client = False
            self._ends_at = request.sent_at + request.call.total_timeout_s

    def _expect(self, now: float, ends_at: float, *, answered: bool) -> None:
        self._ends_at = ends_at
        first_by = now + self._first_byte_s
        self.set(first_by if first_by < ends_at and not answered else ends_at)
