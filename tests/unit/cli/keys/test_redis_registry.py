"""cli/keys/redis_registry.py: the way from a configuration to its keys, and what stands in it."""

from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.keys.redis_registry import editing
from gateway.keystore.records import Secret, StoredKey
from gateway.settings import load
from tests.redis_acl import acl_rules
from tests.redis_server import RedisProcess, free_port
from tests.refusing_proxy import proxy_before
from tests.unit.cli.stored import PREAMBLE, configuration, done, keys


def test_keys_that_stand_in_files_are_edited_there(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(PREAMBLE)
    refused = keys(file, "list")
    assert refused.exit_code == 1
    assert "edit them there" in refused.stderr


def test_a_configuration_that_is_wrong_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(PREAMBLE + "keys: {store: redis}\n")
    refused = keys(file, "list")
    assert refused.exit_code == 1
    assert "add `redis: {url: …}`" in refused.stderr


def test_a_redis_that_is_away_is_reported_without_its_password(tmp_path: Path) -> None:
    for url in ("redis://:s3cret@127.0.0.1:{port}", "redis+cluster://:s3cret@127.0.0.1:{port}"):
        file = tmp_path / "gateway.yaml"
        file.write_text(PREAMBLE + f'redis: {{url: "{url.format(port=free_port())}"}}\nkeys: {{store: redis}}\n')
        refused = keys(file, "create", "--id", "a")
        assert refused.exit_code == 1
        assert refused.stderr.startswith("Error: Redis: ")
        assert "s3cret" not in refused.output
        assert "gw_" not in refused.output


def test_a_proxy_before_redis_is_reported_what_it_cannot_do(tmp_path: Path, redis_server: RedisProcess) -> None:
    for cuts in (False, True):
        with proxy_before(redis_server, cuts=cuts) as port:
            file = tmp_path / "gateway.yaml"
            file.write_text(PREAMBLE + f"redis: {{url: 'redis://127.0.0.1:{port}/0'}}\nkeys: {{store: redis}}\n")
            refused = keys(file, "create", "--id", "a")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr.endswith("; if this is a proxy, name Redis itself in a file of your own\n")


def test_each_prefix_has_its_own_keys(tmp_path: Path, redis_server: RedisProcess) -> None:
    file = configuration(tmp_path, redis_server)
    done(keys(file, "create", "--id", "a"))
    file.write_text(file.read_text().replace("redis: {", "redis: {key_prefix: other, "))
    assert "no key `a`" in keys(file, "show", "a").stderr


def test_what_cannot_be_read_is_reported_with_what_to_do(tmp_path: Path, redis_server: RedisProcess) -> None:
    redis_server.ask("HSET", "gw:1:{keys}:ids", "torn", "{")
    refused = keys(configuration(tmp_path, redis_server), "list")
    assert refused.exit_code == 1
    assert "take it away with HDEL" in refused.stderr


def test_without_a_file_nobody_knows_where_keys_are() -> None:
    assert CliRunner().invoke(main, ["keys", "list"]).exit_code == 2


def test_the_rights_that_the_readme_asks_for_are_enough(tmp_path: Path, redis_server: RedisProcess) -> None:
    redis_server.ask("ACL", "SETUSER", "editor", "on", ">pw", "~gw:*", "&gw:*", *acl_rules("`gateway keys`"))
    file = configuration(tmp_path, redis_server)
    file.write_text(file.read_text().replace("redis://", "redis://editor:pw@"))
    done(keys(file, "create", "--id", "a"))
    done(keys(file, "rotate", "a"))
    done(keys(file, "list"))
    done(keys(file, "show", "a"))
    done(keys(file, "delete", "a", "--yes"))


def test_a_proof_that_is_another_key_s_is_reported(tmp_path: Path, redis_server: RedisProcess) -> None:
    config = load(configuration(tmp_path, redis_server))

    def add(name: str) -> None:
        key = StoredKey({"id": name}, (Secret("1" * 64),), "2026-01-01T00:00:00Z")
        with editing(config) as registry:
            registry.change([name], lambda _: {name: key})

    add("a")
    with pytest.raises(ClickException, match=r"^b: key `a` has the same secret or certificate$"):
        add("b")
