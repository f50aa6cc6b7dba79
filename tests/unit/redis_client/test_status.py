"""redis_client/status.py: the names by which operators read the state of Redis."""

import msgspec

from gateway.redis_client.status import RedisServerStatus, RedisStatus


def test_operators_read_the_availability_of_a_server_as_its_breaker() -> None:
    server = RedisServerStatus("a:1", None, "open", 3, 0)
    status = RedisStatus(up=False, since=None, reason="refused", servers=[server], gateways=2)
    shown = {"address": "a:1", "up": None, "breaker": "open", "failures": 3, "in_flight": 0}
    assert msgspec.to_builtins(status) == {
        "up": False,
        "since": None,
        "reason": "refused",
        "servers": [shown],
        "gateways": 2,
    }
