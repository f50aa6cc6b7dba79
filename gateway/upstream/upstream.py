"""An upstream with several equal targets.

Laws:
 - A call of which nothing was sent may go to another target, whatever its method.
 - A call that was sent goes to another target only if nothing came back, its method may be sent twice (RFC 9110 9.2.2)
   and its body is in memory. It never does after a time-out, because the target may still process it.
 - A call whose reply broke off goes to another target if it only reads (RFC 9110 9.2.1), has no body, and nothing of
   the reply was passed on. (A call that changes something was processed by then, and would be processed twice.)
 - All attempts together take no longer than one target may.
"""

from collections.abc import Callable, Sequence

from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, UPSTREAM_RESET, Fault, GatewayError
from gateway.kernel.load_balancing import Draw
from gateway.upstream.call import Answer, Call, RetryObserver
from gateway.upstream.outlier_detection import OutlierDetector
from gateway.upstream.target import Target

MOST_TRIES = 3
_ONLY_READ = frozenset({b"GET", b"HEAD", b"OPTIONS"})


class Upstream:
    """Chooses a target for each call, of those that `outlier_detector` allows.

    `chance` returns a random number in [0, 1).
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - what the configuration calls it
        targets: Sequence[Target],
        outlier_detector: OutlierDetector,
        clock: Clock,
        chance: Callable[[], float],
        observer: RetryObserver | None = None,
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
        """The number of connections that serve a call or are being made."""
        return sum(target.active for target in self.targets)

    @property
    def pending(self) -> int:
        """The number of calls that wait for a connection."""
        return sum(target.pending for target in self.targets)

    async def send(self, call: Call) -> Answer:
        """Do what `Target.send` does, with any of the targets."""
        body = call.body
        first = b"" if isinstance(body, bytes) else await body.read()
        now = self._clock.monotonic()
        ends_at = now + call.total_timeout_s
        outlier_detector = self._outlier_detector
        tried = outlier_detector.trial(now, call.connect_timeout_s + call.total_timeout_s)
        number = (
            outlier_detector.draw(now).one(self._load, self._chance, outlier_detector.errs_more)
            if tried is None
            else tried
        )
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
        """Close all targets, as `Target.close` does."""
        self._closed = True
        for target in self.targets:
            await target.close()

    async def _send_elsewhere(
        self, call: Call, first: bytes, ends_at: float, number: int, failed: GatewayError
    ) -> Answer:
        """Send `call` to other targets, because target `number` did not answer it, as `failed` states.

        Each attempt may use half of the connect time-out that is left, the last one all of it.
        """
        tried: set[int] = set()
        while True:
            if self._closed:
                raise failed
            self._outlier_detector.failed(number, failed.fault)
            tried.add(number)
            now = self._clock.monotonic()
            others = self._outlier_detector.others(tried, now)
            remaining = min(MOST_TRIES - len(tried), len(others))
            call.total_timeout_s = ends_at - now
            if remaining <= 0 or call.total_timeout_s <= 0 or not _may_go_elsewhere(failed.fault, call):
                raise failed
            if self._observer is not None:
                self._observer.retried()
            number = Draw(others).one(self._load, self._chance, self._outlier_detector.errs_more)
            call.connect_timeout_s /= 2 if remaining > 1 else 1
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
    return not fault.reached_service or (
        fault.name == UPSTREAM_RESET.name and call.idempotent and isinstance(call.body, bytes)
    )
