"""traffic/route_retry.py: rules of a route for calls that are sent again."""

from gateway.kernel.traffic.retry import RetryRules
from gateway.settings.schema.retry import RetryOverrides, RetrySettings
from gateway.traffic.route_retry import RouteRetry, retry_policy
from tests.samples import Echo
from tests.unit.upstream.calls import call


async def test_a_call_takes_the_rules_of_its_route_along() -> None:
    rules = RetryRules(retry_policy(RetrySettings(attempts=2)))
    route, sent = RouteRetry(Echo(), rules), call()
    assert (await route.send(sent)).status == 200
    assert sent.retry is rules
    assert repr(route).startswith("<RouteRetry 2 attempts, before ")


def test_error_types_and_statuses_are_separated() -> None:
    policy = retry_policy(RetryOverrides(on=("503", "connection_refused"), methods=("GET",)).over(None))
    assert (policy.words, policy.statuses, policy.methods) == ({"connection_refused"}, {503}, {b"GET"})
    assert (policy.attempts, policy.backoff_s, policy.same_target) == (3, 0.025, True)
