"""cli/keys/listed.py: keys in Redis in place of the store."""

from pathlib import Path

from gateway.cli.keys.listed import with_listed_keys
from gateway.keystore.records import KeyNames
from gateway.settings import load
from tests.redis_server import RedisProcess
from tests.unit.cli.stored import PREAMBLE, configuration, done, keys


def test_keys_in_redis_are_listed(tmp_path: Path, redis_server: RedisProcess) -> None:
    file = configuration(tmp_path, redis_server)
    done(keys(file, "create", "--id", "a", "--organization", "acme", "--plan", "gold"))
    done(keys(file, "create", "--id", "b"))
    stored = redis_server.ask("HGET", KeyNames.of("gw").ids, "b")
    redis_server.ask("HSET", KeyNames.of("gw").ids, "b", stored.replace(b'"key":{', b'"key":{"nonsense":1,', 1))
    listed = with_listed_keys(load(file))
    assert listed.key_store is None
    assert [(key.id, key.plan, key.organizations) for key in listed.keys] == [("a", "gold", ("acme",))]


def test_keys_in_a_file_stay(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(PREAMBLE)
    config = load(file)
    assert with_listed_keys(config) is config
