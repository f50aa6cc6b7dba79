"""traffic/senders.py: what the calls of a route are sent through."""

from gateway.settings import parse
from gateway.traffic.mirror import MirrorLog
from gateway.traffic.senders import sender_of
from gateway.traffic.split import Destination
from tests.samples import Echo

UPSTREAMS: dict[str, Destination] = {name: Echo() for name in ("v1", "v2", "v3")}


def made(where: str) -> Destination:
    targets = ", ".join(f'{{id: {name}, targets: [{{url: "http://{name}"}}]}}' for name in UPSTREAMS)
    config = parse(f"version: 1\nupstreams: [{targets}]\nroutes: [{{id: r, match: {{prefix: /}}, {where}}}]\n")
    return sender_of(config.routes[0], UPSTREAMS, MirrorLog.silent())


def test_only_the_layers_that_are_needed() -> None:
    assert made("upstream: v2") is UPSTREAMS["v2"]
    split = "split: [{upstream: v1, weight: 95}, {upstream: v2, weight: 5}]"
    assert repr(made(split)).startswith("<Split among")
    assert repr(made("upstream: v1, mirror: {upstream: v3}")).startswith("<Mirror of")
    assert repr(made(f"{split}, mirror: {{upstream: v3}}")).startswith("<Mirror of")
