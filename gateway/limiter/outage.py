"""The one owner of "Redis is away": what limits do then, what is owed to Redis, and when all is as before.

    phase      when                        who decides                      what is written down
    shared     Redis answers, and nothing  Redis                            how many gateways share it; settlements
               is owed to it                                                that a late reply left
    away       Redis was found away        each limit, by its `on_failure`  besides: the last states of meters, shares
                                           (see below)                      that were used, debts, settlements
    returning  Redis answers again, and    Redis                            what is still owed
               something is owed to it

    on_failure  rate limits while away   quotas and concurrency while away,  owed to Redis
                                         by `redis.on_failure`
    local       this gateway's share     its share of what was available     debts, settlements
                                         when Redis replied last
    allow       not counted              not counted                         sums and releases
    deny        the call is refused      the call is refused                 ends of calls that began before

A single call that Redis does not answer in time is decided as while Redis is away, in any phase. What is owed is paid
with the next heartbeat that Redis answers: first debts (tokens of buckets), then settlements (the ends of calls, for
meters).

A successor begins with all that is known and owed: a worker that replaces a dead one, the workers after a reload, also
when there are more or fewer of them, and the rest of what a worker owes when it has drained. Shares stay what they
were: when there are more workers, each has a smaller one. What was used of a share counts as used for each who gets a
part of it, so that all of them together never let through more than those before them would have.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, TypeAlias

import structlog

from gateway.kernel.clock import Clock
from gateway.kernel.limits.quota import MeterState, Posting, Reservation, charged, charges, reports
from gateway.kernel.limits.token_bucket import Claim, Decision, OnFailure
from gateway.limiter.calls_in_flight import CallsInFlight
from gateway.limiter.failure_policy import FailurePolicy
from gateway.limiter.fallback import Fallback, Pack
from gateway.limiter.memory_quotas import UnitNames
from gateway.limiter.outage_journal import OutageJournal
from gateway.limiter.outage_memory import OutageMemory
from gateway.limiter.quota_shares import QuotaShares
from gateway.limiter.settlements import Settlements
from gateway.redis_client.client import RedisCall

Phase: TypeAlias = Literal["shared", "away", "returning"]


class Outage:
    """The outage as one process sees it. `on_failure` holds for limits that have none of their own.

    `memory` is where what is known outlives the process, None for a process that is not replaced. `workers` is how many
    processes the program has.
    """

    def __init__(
        self,
        on_failure: OnFailure,
        call: RedisCall,
        prefix: str,
        clock: Clock,
        memory: OutageMemory | None,
        workers: int,
    ) -> None:
        self.phase: Phase = "shared"
        self.on_failure: OnFailure = on_failure
        self._call = call
        self.fallback = Fallback(clock)
        self.fallback.gateways = workers
        self._failure_policy = FailurePolicy(on_failure, self.fallback)
        self.settlements = Settlements(prefix, call, clock.monotonic)
        quotas = self.fallback.memory.memory_quotas
        self.in_flight = CallsInFlight(call, self.settlements, quotas)
        self.shares = QuotaShares(quotas, self.in_flight)
        self._names = UnitNames()
        self._journal = OutageJournal(
            self.fallback, self.shares, self.settlements, memory, workers, self._is_known_beside_redis
        )

    def __repr__(self) -> str:
        return f"<Outage {self.phase}, {self.fallback.debts} debts, {self.settlements.owed} settlements>"

    @property
    def gateways(self) -> int:
        """The divisor of limits: the number of gateways that shared Redis, as far as it is known."""
        return self.fallback.gateways

    @gateways.setter
    def gateways(self, count: int) -> None:
        self.fallback.gateways = self._journal.gateways = count

    def decide(self, claim: Claim) -> Decision | None:
        """Decide about a call that Redis did not answer; None: it has to be refused, because that is unknown."""
        if not claim.postings:
            return self._failure_policy.decide_now(claim)
        if self.on_failure == "local":
            self.shares.seed(charged(claim.postings), self.gateways)
        decided = self._failure_policy.decide_now(claim)
        if decided is None:
            return None
        if decided.reservation is not None:
            decided.reservation = self._deferred(claim, decided.reservation)
        elif decided.allowed:  # nobody has counted it, and Redis has to know its sums and releases all the same
            decided.reservation = Reservation(
                claim.postings, partial(self._commit, claim, self._names.next(), None), _release_nothing
            )
        return decided

    def read(self, postings: Sequence[Posting]) -> list[MeterState] | None:
        """Return the states by which this process goes without Redis; None when it refuses calls then."""
        if self.on_failure == "deny":
            return None
        self.shares.seed(postings, self.gateways)
        return self.shares.memory.read(postings)

    def redis_changed(self, *, up: bool) -> None:
        """Note that Redis was reached, or found away."""
        if up:
            self.shares.memory.clear()
            self.settlements.send_kept_releases()
        self.phase = "away" if not up else "returning" if self._is_owed() else "shared"
        self._journal.rewrite()

    async def pay(self, gateways: int, pack: Pack) -> None:
        """Charge Redis, which `gateways` share and which answered, what is owed, by commands that `pack` makes."""
        self.gateways = gateways
        await self.fallback.pay_debts(self._call, pack)
        await self.settlements.pay()
        if self.phase != "away" and not self._is_owed():
            self.phase = "shared"
            self._journal.clear()

    def recover(self) -> None:
        """Continue where the process ended that wrote to this memory before."""
        self.fallback.gateways = max(self._journal.gateways, self.fallback.gateways)
        try:
            self.adopt(self._journal.content)
        except Exception as bug:  # the worker after this one would meet it, too
            structlog.get_logger().error("bug", what="what a worker left of an outage is lost", exc_info=bug)
            self._journal.discard()

    def hand_over(self) -> bytes:
        """Return all that is known, for `adopt` in another process. What is owed until now is owed by that one."""
        return self._journal.export_and_forget_debts()

    def adopt(self, content: bytes, *, share_only: bool = False) -> None:
        """Take over what another process knew, besides what is known here. Raises msgspec.MsgspecError.

        With `share_only` another process charges what it owes.
        """
        self._journal.adopt(content, share_only=share_only)

    def _deferred(self, claim: Claim, counted: Reservation) -> Reservation:
        """Return the reservation of a call that is `counted` here, and has to be charged in Redis."""
        unit = self._names.next()
        self.in_flight.track(claim, unit, in_redis=False)
        self._journal.meters_changed([posting.key for posting in claim.postings])

        def release() -> None:
            counted.release()
            self.in_flight.untrack(claim, unit)

        return Reservation(claim.postings, partial(self._commit, claim, unit, counted), release)

    def _commit(
        self, claim: Claim, unit: str, counted: Reservation | None, amounts: Mapping[str, int], *, succeeded: bool
    ) -> None:
        """Charge the meters. Nobody waits for Redis here, because it has cost this call its time already.

        What is owed is written down before the client has its reply: then it has a call that is charged, or no reply.
        """
        updates = reports(claim.postings, amounts) if succeeded else []
        if counted is not None:
            counted.commit(amounts, succeeded=succeeded)
            self._journal.meters_changed([posting.key for posting in claim.postings])
            updates += charges(claim.postings, unit) if succeeded else []
        if updates and self.phase == "away":
            self.settlements.keep(self.settlements.command(updates, claim.tag, unit), claim.tag)
            self._journal.write()
        elif updates:
            self.settlements.send(updates, claim.tag, unit)

    def _is_owed(self) -> bool:
        return bool(self.fallback.debts or self.settlements.entries)

    def _is_known_beside_redis(self) -> bool:
        return self.phase == "away" or self._is_owed()


def _release_nothing() -> None:
    """Do nothing, because the call has no unit that is counted."""
