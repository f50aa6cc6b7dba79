"""Calls of a route that are sent again by other rules than those of the upstream.

Law: what a route adds to the load of an upstream is bounded, by a budget of its own or by that of the upstream.
"""

from gateway.kernel.traffic.retry import RetryPolicy, RetryRules
from gateway.settings.schema.retry import RetrySettings
from gateway.traffic.split import Destination
from gateway.upstream.call import Answer, Call


class RouteRetry:
    """Passes calls on to `behind`, with `rules`."""

    def __init__(self, behind: Destination, rules: RetryRules) -> None:
        self.id = behind.id
        self._behind = behind
        self._rules = rules

    def __repr__(self) -> str:
        return f"<RouteRetry {self._rules.policy.attempts} attempts, before {self._behind}>"

    async def send(self, call: Call) -> Answer:
        """Do what `behind.send` does."""
        call.retry = self._rules
        return await self._behind.send(call)


def retry_policy(retry: RetrySettings) -> RetryPolicy:
    return RetryPolicy(
        retry.attempts,
        frozenset(each for each in retry.on if not each.isdecimal()),
        frozenset(int(each) for each in retry.on if each.isdecimal()),
        frozenset(method.encode() for method in retry.methods),
        retry.per_try,
        retry.backoff,
        same_target=True,
    )
