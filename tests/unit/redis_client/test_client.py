"""redis_client/client.py: the kind of Redis that a URL means."""

import pytest

from gateway.limiter.redis_limiter import PROBE, SCRIPT, command
from gateway.redis_client.client import RedisStore, redis_store
from gateway.redis_client.cluster import RedisCluster
from gateway.redis_client.server import RedisServer
from gateway.redis_client.status import RedisServerStatus
from tests.redis_server import RedisProcess

CALL = command("gw", PROBE)


def store(url: str) -> RedisStore:
    return redis_store(url, 5.0, (SCRIPT,), lambda tag: CALL, lambda up, reason: None)


@pytest.mark.parametrize(
    ("url", "kind", "shown"),
    [
        ("redis://a:1", RedisServer, "a:1"),
        ("redis+sentinel://a:1,b:2/main", RedisServer, "main (not found)"),
        ("redis+cluster://a:1,b:2", RedisCluster, "cluster of a:1"),
    ],
)
def test_a_url_means_a_server_sentinels_or_a_cluster(url: str, kind: type, shown: str) -> None:
    made = store(url)
    assert (type(made), str(made.address)) == (kind, shown)


async def test_a_store_answers_from_start_to_close(redis_server: RedisProcess) -> None:
    made = store(redis_server.url)
    await made.start()
    assert isinstance(await made.call(CALL, "probe"), list)
    assert made.servers() == [
        RedisServerStatus(f"127.0.0.1:{redis_server.port}", up=True, availability="closed", failures=0, in_flight=0)
    ]
    await made.close()
    assert not isinstance(await made.call(CALL, "probe"), list)
