"""Three gateways on hosts whose clocks are 10 s apart.

They equal the oracle's limiter while Redis is there, and stay within the stated bounds when it goes.
"""

import shutil
from collections import Counter
from pathlib import Path

import msgspec

from gateway.kernel.limits.token_bucket import Claim
from tests.limiter_hosts import WINDOWS, Admitted, hosts
from tests.properties.test_limiter_model import Model
from tests.redis_sentinels import RedisSentinels
from tests.redis_server import RedisProcess, started, wait_until

CALLS = 300
"""Several times what the limits let through meanwhile."""


def decisions(server: RedisProcess) -> list[tuple[Claim, list[int]]]:
    """What Redis was asked and what it said, in that order."""
    entries = [msgspec.msgpack.decode(entry) for entry in server.ask("LRANGE", "{x}:history", 0, -1)]
    named = [([key.removeprefix("gw:1:") for key in keys], argv, reply) for keys, argv, reply in entries]
    return [
        (Claim(tuple(keys), tuple(WINDOWS[key] for key in keys), int(argv[0])), reply)
        for keys, argv, reply in named
        if "probe" not in keys[0]
    ]


def hold_to_the_oracle(made: list[tuple[Claim, list[int]]]) -> Counter[str]:
    """Every decision is the model's, at the time that Redis says it was. Returns what was taken of each bucket."""
    model, charged_tokens = Model(), Counter[str]()
    for claim, reply in made:
        assert reply == model.decide(claim, reply[1])
        if reply[0]:
            charged_tokens.update(dict.fromkeys(claim.keys, claim.cost))
    return charged_tokens


def charged_tokens(admitted: list[Admitted]) -> Counter[str]:
    total: Counter[str] = Counter()
    for _, keys, cost, _ in admitted:
        total.update(dict.fromkeys(keys, cost))
    return total


def hold_to_the_bound(admitted: list[Admitted], losses: int) -> None:
    """The most in any stretch.

    That is a full bucket and its refill in Redis, the same once more in shares, and a full bucket each time that Redis
    forgot.
    """
    for key, window in WINDOWS.items():
        calls = sorted((at_s, cost) for at_s, keys, cost, _ in admitted if key in keys)
        for first, (from_s, _) in enumerate(calls):
            total = 0
            for until_s, cost in calls[first:]:
                total += cost
                assert total <= (2 + losses) * window.burst + 2 * (until_s - from_s + 0.1) * 1e6 / window.emission_us, (
                    key
                )


def test_without_faults_they_are_one_limiter(redis_server: RedisProcess) -> None:
    with hosts(redis_server.url) as run:
        wait_until(lambda: redis_server.ask("LLEN", "{x}:history") > CALLS)
        admitted = run.stop()
    assert hold_to_the_oracle(decisions(redis_server)) == charged_tokens(admitted)
    assert {store for *_, store in admitted} == {"redis"}


def test_redis_restarts_with_its_data_and_without(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path, appendonly="yes", appendfsync="always")
    with started(server), hosts(server.url) as run:
        server.kill()
        run.all_decided_by("fallback")
        server.start()
        run.all_decided_by("redis")
        hold_to_the_oracle(decisions(server))
        server.kill()
        shutil.rmtree(tmp_path / "appendonlydir")
        run.all_decided_by("fallback")
        server.start()
        run.all_decided_by("redis")
        admitted = run.stop()
    hold_to_the_bound(admitted, losses=1)
    assert {store for *_, store in admitted} == {"redis", "fallback"}


def test_a_sentinel_failover(redis_sentinels: RedisSentinels) -> None:
    with hosts(redis_sentinels.url) as run:
        redis_sentinels.primary.kill()
        run.all_decided_by("fallback")
        wait_until(redis_sentinels.is_promoted)
        run.all_decided_by("redis")
        admitted = run.stop()
    hold_to_the_bound(admitted, losses=1)
    assert {store for *_, store in admitted} == {"redis", "fallback"}
