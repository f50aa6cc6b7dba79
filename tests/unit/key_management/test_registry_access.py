"""key_management/registry_access.py: what goes wrong on the way to the keys has one type of error, with its reason."""

from pathlib import Path

import pytest
import redis

from gateway.key_management.registry_access import KeyChangeError, open_registry
from gateway.keystore.registry import DuplicateProofError, UnreadableError
from gateway.settings import load, parse
from tests.redis_server import RedisProcess, free_port
from tests.unit.cli.stored import PREAMBLE, configuration


def test_keys_in_files_cannot_be_changed_here() -> None:
    with pytest.raises(KeyChangeError, match="stand in its files") as refused, open_registry(parse(PREAMBLE)):
        raise AssertionError
    assert refused.value.reason == "no_store"


def test_a_redis_that_is_away_is_said() -> None:
    config = parse(PREAMBLE + f"redis: {{url: 'redis://127.0.0.1:{free_port()}'}}\nkeys: {{store: redis}}\n")
    with pytest.raises(KeyChangeError, match="Redis: refused") as refused, open_registry(config) as registry:
        registry.find("a")
    assert refused.value.reason == "unavailable"


def test_a_cluster_that_is_away_is_said() -> None:
    config = parse(PREAMBLE + f"redis: {{url: 'redis+cluster://127.0.0.1:{free_port()}'}}\nkeys: {{store: redis}}\n")
    with pytest.raises(KeyChangeError, match="Redis: ") as refused, open_registry(config):
        raise AssertionError
    assert refused.value.reason == "unavailable"


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        (UnreadableError("torn"), "unreadable", "torn"),
        (DuplicateProofError("a", "b"), "taken", "a: key `b` has the same secret or certificate"),
        (redis.ResponseError("unknown command 'WATCH'"), "unavailable", "if this is a proxy"),
    ],
)
def test_errors_inside_have_a_reason(
    tmp_path: Path, module_redis: RedisProcess, error: Exception, reason: str, text: str
) -> None:
    config = load(configuration(tmp_path, module_redis))
    with pytest.raises(KeyChangeError) as refused, open_registry(config):
        raise error
    assert (refused.value.reason, text in refused.value.problems[0]) == (reason, True)
