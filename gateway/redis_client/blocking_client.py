"""A client for a Redis of any kind, for commands that ask it a few things and end: redis-py's own, which blocks."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import parse_url
from redis.exceptions import RedisClusterException
from redis.retry import Retry
from redis.sentinel import Sentinel

from gateway.net.redis_url import RedisUrl, parse, server_url
from gateway.redis_client.address import OURS, RESP_VERSION, RedisConnectionError, encoded, text_of
from gateway.redis_client.sentinel import LOGIN

TIMEOUT_S = 5.0


def client_for(url: str, key: str) -> redis.Redis:
    """Return a client of the server that has `key`.

    Raises RedisConnectionError when none can be found, ValueError for a URL that cannot be used.
    """
    parsed = parse(url)
    try:
        if parsed.kind == "cluster":
            return _in_cluster(parsed, key)
        if parsed.kind == "sentinel":
            return _behind_sentinels(parsed)
    except (redis.RedisError, RedisClusterException) as error:
        raise RedisConnectionError(text_of(error)) from None
    return _server(url)


def _server(url: str) -> redis.Redis:
    pool = redis.ConnectionPool(**_options(url))
    return redis.Redis(connection_pool=pool)


def _options(url: str) -> dict[str, Any]:
    parsed = parse_url(encoded(url))  # type: ignore[no-untyped-call]
    given: dict[str, Any] = {name: value for name, value in parsed.items() if name not in OURS}
    # twemproxy and others cut the connection over CLIENT SETINFO
    return given | {
        "protocol": RESP_VERSION,
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "driver_info": None,
    }


def _behind_sentinels(url: RedisUrl) -> redis.Redis:
    """Find the primary as `SentinelAddress` does: TLS is for the Sentinels too, the login of the primary is not."""
    given = dict(parse_qsl(url.query.removeprefix("?")))
    login = {name.removeprefix("sentinel_"): given.pop(name) for name in LOGIN if name in given}
    url = url._replace(query=f"?{urlencode(given)}" if given else "")
    options = _options(server_url(url, *url.hosts[0]))
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    if url.scheme == "rediss":
        tls["ssl"] = True
    times = {"protocol": RESP_VERSION, "socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    once = {"retry": Retry(NoBackoff(), 0)}  # there are others to ask
    host, port = Sentinel(url.hosts, sentinel_kwargs=login | tls | times | once).discover_master(url.service)  # type: ignore[no-untyped-call]
    return _server(server_url(url, str(host), int(port)))


def _in_cluster(url: RedisUrl, key: str) -> redis.Redis:
    options = _options(server_url(url, *url.hosts[0]))
    for ours in ("host", "port", "db", "connection_class"):
        options.pop(ours, None)
    nodes = [ClusterNode(host, port) for host, port in url.hosts]  # type: ignore[no-untyped-call]
    cluster: Any = RedisCluster(startup_nodes=nodes, ssl=url.scheme == "rediss", **options)
    node = cluster.get_node_from_key(key)
    cluster.close()
    return _server(server_url(url, str(node.host), int(node.port)))
