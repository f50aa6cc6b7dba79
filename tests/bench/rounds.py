"""Rounds of load in random order, and what they say: every peer is compared with the plain proxy of the same round."""

import http.client
import random
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from tests.bench.peers import BASE, Peer
from tests.bench.scenarios import Scenario
from tests.bench.traffic import Asking, requests, written

LONGEST_S = 30


class Spread(NamedTuple):
    """Median and quartiles."""

    low: float
    middle: float
    high: float


class Sample(NamedTuple):
    """What one load cost a peer for a request, and its Redis (0 if it has none)."""

    cpu_us: float
    redis_us: float
    per_second: float
    p50_ms: float
    p99_ms: float
    rss_mib: float


Samples = dict[tuple[str, str], list[Sample]]
"""By the names of scenario and peer, one for each round."""


def spread(values: Sequence[float]) -> Spread:
    return (
        Spread(*quantiles(values, n=4, method="inclusive"))
        if len(values) > 1
        else Spread(values[0], values[0], values[0])
    )


def ratios(samples: Samples, over: tuple[str, str], under: tuple[str, str]) -> Spread:
    """What one costs in times of what the other costs in the same round."""
    return spread([one.cpu_us / other.cpu_us for one, other in zip(samples[over], samples[under], strict=True)])


def measured(
    peers: Sequence[Peer], scenarios: Sequence[Scenario], rounds: int, seconds: int, folder: Path, chance: random.Random
) -> Iterator[Samples]:
    """The samples so far, after each round. Raises SystemExit when a peer answers otherwise than it should."""
    files = {scenario.name: written(scenario, folder) for scenario in scenarios}
    asked = {scenario: [each for each in peers if _kind(each) not in scenario.without] for scenario in scenarios}
    for scenario in scenarios:
        for peer in asked[scenario]:
            check(peer, scenario)
    for peer in peers:
        load(peer, scenarios[0], files[scenarios[0].name], 1, 0)
    for scenario in scenarios:
        for peer in asked[scenario] if scenario.warm_s else ():
            load(peer, scenario, files[scenario.name], scenario.warm_s, 0)
    found: Samples = {(scenario.name, peer.name): [] for scenario in scenarios for peer in asked[scenario]}
    lasting = dict.fromkeys(found, seconds)
    for _ in range(rounds):
        for scenario in chance.sample(scenarios, len(scenarios)):
            first = chance.randrange(10_000)
            for peer in chance.sample(asked[scenario], len(asked[scenario])):
                names = scenario.name, peer.name
                sample, lasting[names] = load(peer, scenario, files[scenario.name], lasting[names], first)
                found[names].append(sample)
        yield {names: list(values) for names, values in found.items()}


def _kind(peer: Peer) -> str:
    """Its name without the revision that it runs."""
    return peer.name.partition("@")[0]


def load(peer: Peer, scenario: Scenario, file: Path, seconds: int, first: int) -> tuple[Sample, int]:
    """Put one load on one peer, and return its seconds: longer than `seconds` if connections were still being made.

    Each connection has a reply on average after all of them stand. Raises SystemExit when one is missing, or of the
    wrong kind.
    """
    while True:
        requesting = _ask(peer, scenario, file, seconds, first)
        stood = requesting.stands()
        before, redis_before = _used_s(peer)
        answers = requesting.end()
        if stood and answers.replies >= scenario.connections:
            break
        if seconds > LONGEST_S:
            raise SystemExit(
                f"{scenario.name}: {peer.name} is too slow for {scenario.connections} connections: {answers}"
            )
        seconds *= 2
    after, redis_after = _used_s(peer)
    cost_s, redis_s = after - before, redis_after - redis_before
    refused = answers.all_replies if expected(peer, scenario) >= 400 else 0
    if answers.failures or answers.refusals != refused:
        raise SystemExit(
            f"{scenario.name}, {peer.name}: {answers}, where {refused} should be refused and nothing should fail"
        )
    sample = Sample(
        cost_s / answers.replies * 1e6,
        redis_s / answers.replies * 1e6,
        answers.all_replies / answers.seconds,
        answers.p50_ms,
        answers.p99_ms,
        peer.program.rss_bytes() / 2**20,
    )
    return sample, seconds


def _used_s(peer: Peer) -> tuple[float, float]:
    """Return the CPU time that it and its Redis have used so far."""
    return peer.program.cpu_s(), peer.store.cpu_s() if peer.store else 0.0


def _ask(peer: Peer, scenario: Scenario, file: Path, seconds: int, first: int) -> Asking:
    return Asking(scenario, file, peer.tls_port if scenario.tls else peer.port, seconds, first)


def expected(peer: Peer, scenario: Scenario) -> int:
    return 200 if peer.name == BASE else scenario.status


def check(peer: Peer, scenario: Scenario) -> None:
    """Send a request of each key that is to be spent, or one in all; then check one. SystemExit if it is wrong."""
    asked = list(dict.fromkeys(requests(scenario, random.Random(scenario.name))))
    if scenario.callers == "spent":
        for key, path in dict(asked).items():
            _reply(peer, scenario, key, path)
    status, fields, body = _reply(peer, scenario, *asked[0])
    wrong = status != expected(peer, scenario)
    if peer.name != BASE:
        wrong |= body.count(b'"requestId"') != 1
        wrong |= scenario.status in (200, 429) and not any(
            name.lower().startswith("x-ratelimit-remaining-") for name in fields
        )
    if wrong:
        raise SystemExit(f"{scenario.name}: {peer.name} answers {status}\n{fields}\n{body[:500]!r}")


def _reply(peer: Peer, scenario: Scenario, key: str, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    if scenario.tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", peer.tls_port, timeout=20, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=20)
    body = b'{"name":"an order"}' if scenario.method == "POST" else None
    connection.request(scenario.method, path, body, {"X-Api-Key": key, "Content-Type": "application/json"})
    reply = connection.getresponse()
    found = reply.status, reply.headers, reply.read()
    connection.close()
    return found
