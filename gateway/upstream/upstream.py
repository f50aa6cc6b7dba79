"""Several targets that do the same.

Laws:
 - A call of which nothing was sent may go to another target, whatever its method.
 - One that was sent goes to another only if nothing came back, its method says that it may be sent twice (RFC 9110 9.2.2)
   and its body is at hand: never after a time-out, which says that the target may still be at it.
 - One whose reply broke off goes to another if it only reads (RFC 9110 9.2.1), has no body, and nothing of the reply was passed on.
   (A call that changes something has been processed by then, and would be processed twice.)
 - All of that takes no longer than one target may.
"""

from collections.abc import Callable, Sequence

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, UPSTREAM_RESET, Fault, GatewayError
from gateway.kernel.load_balancing import Draw
from gateway.upstream.call import Answer, Call, Observer
from gateway.upstream.outlier_detection import OutlierDetector
from gateway.upstream.target import Target

MOST_TRIES = 3
_ONLY_READ = frozenset({b"GET", b"HEAD", b"OPTIONS"})


class Upstream:
    """Chooses one of `targets` for every call; `outlier_detector` says which of them may be. `chance` returns a number from 0 up to 1."""

    def __init__(
        self,
        id: str,  # noqa: A002 - what the configuration calls it
        targets: Sequence[Target],
        outlier_detector: OutlierDetector,
        clock: Clock,
        chance: Callable[[], float],
        observer: Observer | None = None,
    ) -> None:
        self.id = id
        self.targets = tuple(targets)
        self._outlier_detector = outlier_detector
        self._clock = clock
        self._chance = chance
        self._observer = observer
        self._closed = False

    def __repr__(self) -> str:
        return f"<Upstream {self.id} {len(self.targets)} targets, {self.active} active, {self.pending} pending>"

    @property
    def idle(self) -> int:
        return sum(target.idle for target in self.targets)

    @property
    def active(self) -> int:
        """Connections that answer a call or are being made."""
        return sum(target.active for target in self.targets)

    @property
    def pending(self) -> int:
        """Calls that wait for a connection."""
        return sum(target.pending for target in self.targets)

    async def send(self, call: Call) -> Answer:
        """As `Target.send`, by one target or another."""
        body = call.body
        first = b"" if isinstance(body, bytes) else await body.read()
        now = self._clock.monotonic()
        ends_at = now + call.total_timeout_s
        outlier_detector = self._outlier_detector
        tried = outlier_detector.trial(now, call.connect_timeout_s + call.total_timeout_s)
        number = outlier_detector.draw(now).one(self._load, self._chance, outlier_detector.errs_more) if tried is None else tried
        call.connect_timeout_s /= 2
        try:
            answer = await self.targets[number].send(call, first)
        except GatewayError as error:
            failed = error.kept()
        except BaseException:
            outlier_detector.undecided(number)
            raise
        else:
            outlier_detector.answered(number, answer.status)
            return answer
        return await self._send_elsewhere(call, first, ends_at, number, failed)

    async def close(self) -> None:
        """As `Target.close`, of them all."""
        self._closed = True
        for target in self.targets:
            await target.close()

    async def _send_elsewhere(self, call: Call, first: bytes, ends_at: float, number: int, failed: GatewayError) -> Answer:
        """`failed` says why target `number` did not answer it. What the call has left of its time is halved again for the next one."""
        tried: set[int] = set()
        while True:
            if self._closed:
                raise failed
            self._outlier_detector.failed(number, failed.fault)
            tried.add(number)
            now = self._clock.monotonic()
            others = self._outlier_detector.others(tried, now)
            left = min(MOST_TRIES - len(tried), len(others))
            call.total_timeout_s = ends_at - now
            if left <= 0 or call.total_timeout_s <= 0 or not _may_go_elsewhere(failed.fault, call):
                raise failed
            if self._observer is not None:
                self._observer.retried()
            number = Draw(others).one(self._load, self._chance, self._outlier_detector.errs_more)
            call.connect_timeout_s /= 2 if left > 1 else 1
            try:
                answer = await self.targets[number].send(call, first)
            except GatewayError as error:
                failed = error.kept()
            else:
                self._outlier_detector.answered(number, answer.status)
                return answer

    def _load(self, number: int) -> int:
        return self.targets[number].load


def _may_go_elsewhere(fault: Fault, call: Call) -> bool:
    if fault.name == UPSTREAM_INCOMPLETE.name:
        return call.method in _ONLY_READ and not call.body
    return not fault.reached_service or (fault.name == UPSTREAM_RESET.name and call.idempotent and isinstance(call.body, bytes))
