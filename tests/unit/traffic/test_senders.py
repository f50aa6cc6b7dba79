"""traffic/senders.py: what the calls of a route are sent through."""

import pytest

from gateway.kernel.traffic.retry import RetryRules
from gateway.settings import parse
from gateway.traffic.answer_samples import TakeAnswer
from gateway.traffic.mirror import MirrorLog
from gateway.traffic.route_retry import RouteRetry
from gateway.traffic.senders import Onlookers, sender_of
from gateway.traffic.split import Destination
from tests.samples import Echo
from tests.unit.upstream.calls import call

UPSTREAMS: dict[str, Destination] = {name: Echo() for name in ("v1", "v2", "v3")}


def made(where: str, **samples: TakeAnswer) -> Destination:
    targets = ", ".join(
        f'{{id: {name}, targets: [{{url: "http://{name}"}}]{", retry: {attempts: 4}" if name == "v2" else ""}}}'
        for name in UPSTREAMS
    )
    config = parse(f"version: 1\nupstreams: [{targets}]\nroutes: [{{id: r, match: {{prefix: /}}, {where}}}]\n")
    return sender_of(config, config.routes[0], UPSTREAMS, Onlookers(MirrorLog.silent(), samples))


async def rules(where: str) -> RetryRules:
    sender, sent = made(where), call()
    await sender.send(sent)
    assert sent.retry is not None
    return sent.retry


def test_only_the_layers_that_are_needed() -> None:
    assert made("upstream: v2") is UPSTREAMS["v2"]
    split = "split: [{upstream: v1, weight: 95}, {upstream: v2, weight: 5}]"
    assert repr(made(split)).startswith("<Split among")
    assert repr(made("upstream: v1, mirror: {upstream: v3}")).startswith("<Mirror of")
    assert repr(made(f"{split}, mirror: {{upstream: v3}}")).startswith("<Mirror of")
    assert isinstance(made("upstream: v1, retry: {attempts: 1}"), RouteRetry)


@pytest.mark.parametrize(
    ("where", "attempts", "own_budget"),
    [
        ("upstream: v1, retry: {per_try: 2s}", 3, True),
        ("upstream: v2, retry: {per_try: 2s}", 4, False),
        ("upstream: v2, retry: {per_try: 2s, attempts: 2, budget: 5%}", 2, True),
        ("split: [{upstream: v2}, {upstream: v1, weight: 0}], retry: {per_try: 2s}", 4, False),
        ("upstream: v2, mirror: {upstream: v3, share: 0%}, retry: {per_try: 2s}", 4, False),
    ],
)
async def test_what_a_route_does_not_say_is_as_its_upstream_has_it(
    where: str, attempts: int, *, own_budget: bool
) -> None:
    found = await rules(where)
    assert (found.policy.attempts, found.policy.per_try_s, found.budget is not None) == (attempts, 2.0, own_budget)
    checked = "upstream: v1, response: {openapi: a.yaml, operation: get, share: 10%}"
    assert repr(made(checked, r=lambda _call, _answer: None)) == f"<AnswerSampler of {UPSTREAMS['v1'].id}, 10.00%>"
    assert made(checked) is UPSTREAMS["v1"]
