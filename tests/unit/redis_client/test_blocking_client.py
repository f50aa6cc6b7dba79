"""redis_client/blocking_client.py: the server that has a key, wherever the URL leads."""

from pathlib import Path

import pytest

from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.blocking_client import client_for
from tests.redis_cluster import RedisCluster
from tests.redis_sentinels import RedisSentinels
from tests.redis_server import RedisProcess, free_port
from tests.refusing_proxy import proxy_before


def asked(url: str, key: str = "k") -> bytes:
    client = client_for(url, key)
    try:
        client.set(key, "v")
        value = client.get(key)
        assert isinstance(value, bytes)
        return value
    finally:
        client.close()


def test_one_server_by_port_and_by_socket(redis_server: RedisProcess) -> None:
    assert asked(redis_server.url) == asked(f"unix://{redis_server.socket_path}?db=3") == b"v"
    assert redis_server.ask("INFO", "keyspace")["db3"]["keys"] == 1


def test_through_a_proxy_that_takes_no_more_than_it_must(redis_server: RedisProcess) -> None:
    with proxy_before(redis_server, cuts=True) as port:
        assert asked(f"redis://127.0.0.1:{port}/0") == b"v"


def test_with_a_password(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path, requirepass="let-me-in")
    server.start()
    try:
        assert asked(f"redis://:let-me-in@127.0.0.1:{server.port}") == b"v"
    finally:
        server.kill()


def test_the_primary_that_sentinels_know(calm_sentinels: RedisSentinels) -> None:
    assert asked(calm_sentinels.url + "?sentinel_username=default&sentinel_password=") == b"v"
    assert calm_sentinels.primary.ask("GET", "k") == b"v"


def test_the_node_of_a_cluster_that_has_it(calm_cluster: RedisCluster) -> None:
    for key in ("a", "b", "c", "d", "e"):
        assert asked(calm_cluster.url, key) == b"v"


@pytest.mark.parametrize("url", ["rediss+sentinel://127.0.0.1:{port}/main", "redis+cluster://127.0.0.1:{port}"])
def test_the_error_of_an_unreachable_server_has_no_password(url: str) -> None:
    with pytest.raises(RedisConnectionError) as caught:
        client_for(url.format(port=free_port()).replace("//", "//:s3cret@"), "k")
    assert "s3cret" not in str(caught.value)
