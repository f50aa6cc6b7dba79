"""Decides whether a call is sent again after a failure, and how long to wait before that.

Laws:
 - A call of which no service received anything may be sent again, whatever its method.
 - A call that a service may have received is sent again only if its method allows that (RFC 9110 9.2.2) and its body is
   in memory.
 - A call whose reply broke off is sent again only if it reads (RFC 9110 9.2.1) and has no body: one that changes
   something was processed by then, and would be processed twice.
"""

from collections.abc import Set
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from gateway.kernel.backoff import backoff_s
from gateway.kernel.envelope.dates import http_date
from gateway.kernel.faults import UPSTREAM_INCOMPLETE, Fault

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"})
"""The methods that are ever sent again after a service may have received them (RFC 9110 9.2.2)."""
_ONLY_READ = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_LONGEST_WAIT_S = 1.0
_LONGEST_DIGITS, _LONGEST_DATE = 9, 40

FAILOVER: Set[str] = frozenset(
    {
        "connection_limit_reached",
        "connection_refused",
        "connection_terminated",
        "connection_timeout",
        "destination_unavailable",
        "dns_error",
        "http_response_incomplete",
        "tls_certificate_error",
    }
)
"""The error types of RFC 9209 after which calls go to another target, where nothing else is configured."""


HedgeResult: TypeAlias = Literal["won", "lost", "failed", "refused"]
"""What became of a second attempt that was made because the first target was slow: which one has answered.

`refused`: there was none, because the budget was spent.
"""


class RetryPolicy(msgspec.Struct, frozen=True):
    """When calls to an upstream are sent again.

    `attempts` is how often a call is sent in all, 1 or more, on all connections and to all targets together. `words`
    are error types of RFC 9209 and `statuses` those of answers after which it is sent again. `methods` are the
    idempotent methods for which that is done. An attempt takes at most `per_try_s`, None for the whole time of the
    call. `backoff_s` is the wait before the second attempt at a service that may have received the first one; it is
    twice as long before each further one. Without `same_target` each attempt goes to another target.
    """

    attempts: int = 3
    words: Set[str] = FAILOVER
    statuses: Set[int] = frozenset()
    methods: Set[bytes] = IDEMPOTENT
    per_try_s: float | None = None
    backoff_s: float = 0.0
    same_target: bool = False

    def after_fault(self, fault: Fault, method: bytes, *, with_body: bool, replayable: bool) -> bool:
        """Return whether a call is sent again after `fault`. `replayable`: its body is in memory."""
        if fault.proxy_status not in self.words:
            return False
        if not fault.reached_service:
            return True
        if fault.source == "gateway" or method not in self.methods or not replayable:
            return False
        return fault.name != UPSTREAM_INCOMPLETE.name or (method in _ONLY_READ and not with_body)

    def after_status(self, status: int, method: bytes, *, replayable: bool) -> bool:
        """Return whether a call is sent again after an answer. `replayable`: its body is in memory."""
        return status in self.statuses and method in self.methods and replayable

    def wait_s(self, attempts: int, chance: float) -> float:
        """Return the wait after `attempts` attempts, 1 or more. `chance` is from 0 up to 1."""
        return backoff_s(self.backoff_s, _LONGEST_WAIT_S, attempts, chance)


def retry_after_s(value: bytes, wall_s: float) -> float:
    """Return the seconds that a Retry-After field asks to wait (RFC 9110 10.2.3), 0 for one that is malformed.

    `wall_s` is the Unix time, for a field that is a date.
    """
    if value.isdigit() and len(value) <= _LONGEST_DIGITS:
        return float(int(value))
    date = http_date(value.decode("latin-1")) if len(value) <= _LONGEST_DATE else None
    return 0.0 if date is None else max(0.0, datetime.fromisoformat(date).timestamp() - wall_s)


class RetryBudget:
    """Bounds how many calls to one upstream are sent again, so that retries never add much to an overload.

    Each call adds `share` of an attempt to the budget, which holds at most `RESERVE`, and each attempt after the first
    one takes a whole one. An attempt that fails again takes one more: while all of them fail, half of the share is
    spent on attempts, and what was saved before does not add to the load. So the attempts are at most `1 + share` times
    the calls, in each span of time that has more than `RESERVE / share` calls. Attempts before which no service
    received anything of the call are not counted here.
    """

    RESERVE = 30.0
    __slots__ = ("_balance", "_share")

    def __init__(self, share: float) -> None:
        self._share = share
        self._balance = 1.0 - share if share else 0.0

    def called(self) -> None:
        """Count a call."""
        self._balance = min(self.RESERVE, self._balance + self._share)

    def take(self) -> bool:
        """Take one attempt. False when the budget is spent."""
        # Sums of shares are not exact: five times 0.2 is less than 1.
        if self._balance < 1.0 - 1e-9:
            return False
        self._balance -= 1.0
        return True

    def failed(self) -> None:
        """Note that an attempt that was taken has failed again."""
        self._balance -= 1.0


class RetryRules(msgspec.Struct, frozen=True):
    """What a route has in place of the policy of an upstream. Without a `budget` that of the upstream counts."""

    policy: RetryPolicy
    budget: RetryBudget | None = None
