import json
import re
from pathlib import Path

import yaml
from click.testing import CliRunner

from gateway.cli import main
from gateway.key_management import secret
from tests.redis_server import RedisProcess
from tests.unit.cli.stored import configuration, done, keys, secret_in

PREAMBLE = """\
version: 1
organizations: [{id: acme}]
plans: [{id: standard, limits: []}]
upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]
routes: [{id: r, match: {prefix: /}, upstream: u}]
"""


def create(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["keys", "create", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_secret_is_shown_once_and_only_its_digest_goes_into_the_block() -> None:
    shown = create()
    (made,) = re.findall(r"gw_\w+", shown)
    (key,) = yaml.safe_load(shown[shown.index("keys:") :])["keys"]
    assert key == {"id": f"key-{secret.digest(made)[:8]}", "secret_sha256": secret.digest(made)}


def test_the_block_contains_the_options() -> None:
    shown = create("--id", "acme-ci", "--organization", "acme", "--organization", "initech", "--plan", "internal")
    assert shown.endswith("    organizations: [acme, initech]\n    plan: internal\n")
    assert "  - id: acme-ci\n" in shown


def test_a_word_that_yaml_reads_as_something_else_is_quoted() -> None:
    shown = create("--id", "no", "--plan", "123")
    assert yaml.safe_load(shown[shown.index("keys:") :])["keys"][0].items() >= {"id": "no", "plan": "123"}.items()


def test_the_block_is_accepted_by_the_configuration(tmp_path: Path) -> None:
    shown = create("--organization", "acme", "--plan", "standard")
    file = tmp_path / "gateway.yaml"
    file.write_text(PREAMBLE + shown[shown.index("keys:") :])
    assert CliRunner().invoke(main, ["check", "-c", str(file)]).exit_code == 0


def test_a_name_that_the_configuration_would_reject_is_rejected() -> None:
    done = CliRunner().invoke(main, ["keys", "create", "--id", "a b"])
    assert done.exit_code == 2
    assert "`a b` is not an id" in done.stderr
    assert "gw_" not in done.output


def test_a_key_that_the_configuration_could_not_have_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(PREAMBLE + f"keys: [{{id: a, secret_sha256: {'a' * 64}}}]\n")
    wrong = ("--id", "a", "--organization", "acne", "--plan", "gold", "--route", "orders")
    refused = keys(file, "create", *wrong)
    assert refused.exit_code == 2
    for message in (
        "no plan `gold`",
        "no organization `acne`; did you mean `acme`?",
        "`orders` matches no route",
        "`a` is the id of another one",
    ):
        assert message in refused.stderr
    assert "gw_" not in refused.output
    shown = done(keys(file, "create", "--id", "b", "--organization", "acme"))
    assert yaml.safe_load(shown[shown.index("keys:") :])["keys"][0]["organizations"] == ["acme"]


def test_a_key_for_redis_is_written_there_at_once(tmp_path: Path, redis_server: RedisProcess) -> None:
    file = configuration(tmp_path, redis_server)
    shown = done(keys(file, "create", "--id", "a", "--organization", "acme", "--expires", "2030-01-01T00:00:00Z"))
    made = secret_in(shown)
    assert "keys:" not in shown
    entry = json.loads(redis_server.ask("HGET", "gw:1:{keys}:proofs", secret.digest(made)))
    assert entry == {
        "id": "a",
        "organizations": ["acme"],
        "expires": "2030-01-01T00:00:00Z",
        "secret_sha256": secret.digest(made),
    }
    again = keys(file, "create", "--id", "a")
    assert (again.exit_code, "gw_" in again.output) == (2, False)
    assert "`a` is the id of another one" in again.stderr
    refused = keys(file, "create", "--plan", "platinum")
    assert (refused.exit_code, redis_server.ask("HLEN", "gw:1:{keys}:ids")) == (2, 1)


def test_names_of_routes_and_instants_are_checked(tmp_path: Path) -> None:
    for wrong in (("--route", "a b"), ("--method", "GOT"), ("--expires", "tomorrow")):
        assert CliRunner().invoke(main, ["keys", "create", *wrong]).exit_code == 2


def test_json_is_for_programs(tmp_path: Path, redis_server: RedisProcess) -> None:
    found = json.loads(create("--id", "a", "--route", "r", "--output", "json"))
    digest = secret.digest(found["secret"])
    assert found == {
        "secret": found["secret"],
        "kept": False,
        "key": {"id": "a", "secret_sha256": digest, "routes": ["r"]},
    }
    file = tmp_path / "plain.yaml"
    file.write_text(PREAMBLE)
    assert json.loads(create("--id", "a", "-c", str(file), "--output", "json"))["kept"] is False
    stored = configuration(tmp_path, redis_server)
    assert json.loads(create("--id", "a", "-c", str(stored), "--output", "json"))["kept"] is True


def test_a_key_is_bound_to_addresses_and_pages(tmp_path: Path, redis_server: RedisProcess) -> None:
    file = configuration(tmp_path, redis_server)
    arguments = (
        "--allow",
        "10.0.0.0/8",
        "--allow",
        "192.0.2.1",
        "--deny",
        "10.1.0.0/16",
        "--referrer",
        "https://a.example",
    )
    done(keys(file, "create", "--id", "bound", *arguments))
    shown = json.loads(done(keys(file, "show", "bound", "--output", "json")))
    assert (shown["allow"], shown["deny"]) == (["10.0.0.0/8", "192.0.2.1"], ["10.1.0.0/16"])
    assert shown["referrers"] == ["https://a.example"]
    refused = keys(file, "create", "--allow", "ten", "--deny", "eleven", "--referrer", "nowhere")
    assert refused.exit_code == 2
    assert all(f"{name}[0]: " in refused.stderr for name in ("allow", "deny", "referrers"))
