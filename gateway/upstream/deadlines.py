"""One deadline that is moved far more often than it is met, and what moves it in the course of a call."""

import asyncio
import math
from collections.abc import Callable

from gateway.kernel.clock import Clock
from gateway.upstream.call import Call


def _nobody() -> None:
    """What an alarm that has ended rings."""


class Deadline:
    """Calls `ring` once the clock has reached `at`, a reading of `clock.monotonic`; infinity, as at first, is never.

    A timer of the event loop costs more than all else that a call does about time. So there is one for many
    deadlines: a later one only moves `at`, and the timer, when it fires too early, is set again for what is left.
    """

    def __init__(self, ring: Callable[[], None], clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self.at = math.inf
        self._ring = ring
        self._clock = clock
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def set(self, at: float) -> None:
        """Ring at `at`. (To put it off, or to clear it, assigning `at` is enough.)"""
        self.at = at
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        elif at == math.inf:
            return
        self._timer_at = at
        # The loop's clock is coarser than ours: never ask it for nothing
        self._timer = self._loop.call_later(max(0.001, at - self._clock.monotonic()), self._fired)

    def cancel(self) -> None:
        self.at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """It never rings again, and whoever it rang for can be freed."""
        self.cancel()
        self._ring = _nobody

    def _fired(self) -> None:
        self._timer = None
        if self.at > self._clock.monotonic():
            self.set(self.at)
        else:
            self.at = math.inf
            self._ring()


class Deadlines(Deadline):
    """The time-outs of one call after another.

    Laws:
     - All of them are the upstream's time. What it takes to accept a request counts, what a client takes to send it does not;
       and while a client does not take what has come of a reply, the clock stands.
     - `total` ends with a reply that is waited for as a whole. One that is streamed may last as long as it likes, as long as
       the upstream is never silent for `idle_s`.
    """

    _call: Call

    def __init__(self, ring: Callable[[], None], clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(ring, clock, loop)
        self._ends_at = math.inf
        self._left_s = 0.0
        self._idle_s: float | None = None
        self._clients_turn = self._unread = False

    def sent(self, call: Call, now: float) -> None:
        """The whole request, at once."""
        self._call = call
        self._idle_s = None
        self._clients_turn = False
        self._expect(now, now + call.total_timeout_s, False)

    def sending(self, call: Call) -> None:
        """The request goes out in pieces, until `all_sent`."""
        self._call = call
        self._idle_s = None
        self._ends_at = math.inf
        self._left_s = call.total_timeout_s
        self._clients_turn = True

    def held_back(self) -> None:
        """The upstream does not take what is sent, until `went_on`."""
        self._clients_turn = False
        if self._idle_s is not None:
            self.heard()
            return
        now = self._clock.monotonic()
        self._expect(now, now + self._left_s, False)

    def went_on(self) -> None:
        self._clients_turn = True
        if self._idle_s is not None:
            self.heard()
            return
        self._left_s = self._ends_at - self._clock.monotonic()
        self.at = self._ends_at = math.inf

    def all_sent(self, *, answered: bool) -> None:
        """There is nothing more to send; `answered`: the head of the reply is here already."""
        self._clients_turn = False
        if self._idle_s is not None:
            self.heard()
            return
        now = self._clock.monotonic()
        self._expect(now, min(self._ends_at, now + self._left_s), answered)

    def head_arrived(self) -> None:
        self.at = self._ends_at

    def streams(self, idle_s: float) -> None:
        """The reply goes on as it comes, from now on."""
        self._idle_s = idle_s
        self._unread = False
        self.heard()

    def heard(self) -> None:
        """Something came of a reply that streams."""
        if self._idle_s is not None and not (self._unread or self._clients_turn):
            self.set(self._clock.monotonic() + self._idle_s)
        else:
            self.at = math.inf

    def unread(self, waits: bool) -> None:
        """Whether what has come of a reply that streams waits for its reader."""
        self._unread = waits
        self.heard()

    def told(self, *, uploading: bool) -> str:
        """What the one that rang just now was for."""
        call = self._call
        if self._idle_s is not None:
            return f"the reply went silent for {self._idle_s:g} s"
        if self._clock.monotonic() >= self._ends_at:
            return f"no end of the reply within {call.total_timeout_s:g} s"
        what = "the request was not taken for" if uploading else "no reply within"
        return f"{what} {call.first_byte_timeout_s:g} s"

    def _expect(self, now: float, ends_at: float, answered: bool) -> None:
        self._ends_at = ends_at
        first_by = now + self._call.first_byte_timeout_s
        self.set(first_by if first_by < ends_at and not answered else ends_at)
