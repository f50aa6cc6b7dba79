"""Counts each exchange in the usage of its caller: calls, errors, the bytes of bodies, and what was used of quotas.

An error is a status of 400 or more, a client that left before its reply (499), and a reply that broke off. Requests
without a known caller are counted, too, so that the sum is that of all requests.
"""

from gateway.accounting.counts import CALLS, ERRORS, REQUEST_BYTES, RESPONSE_BYTES, UsageCounts
from gateway.exchange import Exchange
from gateway.kernel.limits.quota import amounts_used


class UsageCounter:
    """Adds to `counts`."""

    def __init__(self, counts: UsageCounts) -> None:
        self._counts = counts

    def __call__(self, x: Exchange, status: int) -> None:
        """Count `x`, which ended now."""
        caller, route = x.caller, "" if x.route is None else x.route.id
        organization, key = ("", "") if caller is None else (caller.organization or "", caller.id)
        numbers = self._counts.numbers(organization, key, route)
        numbers[CALLS] += 1
        if status >= 400 or x.outcome != "answered":
            numbers[ERRORS] += 1
        if x.body is not None:
            numbers[REQUEST_BYTES] += x.body.received
        numbers[RESPONSE_BYTES] += x.sent_bytes
        if x.reservation is not None and x.reservation.amounts is not None:
            for quota, amount in amounts_used(x.reservation.postings, x.reservation.amounts).items():
                self._counts.add_quota(organization, key, route, quota, amount)
        if caller is not None and x.is_open:
            self._counts.add_caller(route, x.client)
