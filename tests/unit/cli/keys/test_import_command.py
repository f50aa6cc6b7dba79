"""cli/keys/import_command.py: all of the keys or none, and what is wrong with each of them."""

import json
from pathlib import Path

import click
import pytest
from click.testing import Result

from gateway.cli.keys.import_command import Candidate, _keep
from gateway.cli.keys.redis_registry import registry_of
from gateway.key_management import secret
from gateway.keystore.records import KeyNames
from tests.redis_server import RedisProcess
from tests.unit.cli.stored import configuration, done, keys

NAMES = KeyNames.of("gw")
FOREIGN = "sk_live_ü 0123456789"


@pytest.fixture
def file(tmp_path: Path, redis_server: RedisProcess) -> Path:
    return configuration(tmp_path, redis_server)


def typed(file: Path, text: str, *options: str) -> Result:
    """Imported from standard input."""
    return keys(file, "import", "-", *options, typed=text)


def stored(redis_server: RedisProcess) -> dict[str, dict[str, object]]:
    return {key_id.decode(): json.loads(content) for key_id, content in redis_server.ask("HGETALL", NAMES.ids).items()}


def test_keys_come_from_a_file(file: Path, redis_server: RedisProcess, tmp_path: Path) -> None:
    source = tmp_path / "keys.csv"
    source.write_text(f"id,secret_sha256,organizations,plan\na,{'1' * 64},acme,gold\nb,{'2' * 64},,\n")
    assert done(keys(file, "import", str(source))) == "2 keys imported\n"
    assert {
        proof.decode(): json.loads(entry) for proof, entry in redis_server.ask("HGETALL", NAMES.proofs).items()
    } == {
        "1" * 64: {"id": "a", "secret_sha256": "1" * 64, "organizations": ["acme"], "plan": "gold"},
        "2" * 64: {"id": "b", "secret_sha256": "2" * 64},
    }
    assert redis_server.ask("LLEN", NAMES.changes) == 1


def test_a_foreign_secret_is_hashed_at_once(file: Path, redis_server: RedisProcess) -> None:
    assert done(typed(file, json.dumps({"id": "a", "secret": FOREIGN}))) == "1 key imported\n"
    assert redis_server.ask("HKEYS", NAMES.proofs) == [secret.digest(FOREIGN).encode()]
    assert not any(FOREIGN.encode() in redis_server.ask("DUMP", name) for name in redis_server.ask("KEYS", "*"))


def test_all_problems_are_reported_with_their_lines_and_nothing_is_imported(
    file: Path, redis_server: RedisProcess, tmp_path: Path
) -> None:
    done(keys(file, "create", "--id", "there"))
    before = redis_server.ask("HGETALL", NAMES.ids)
    lines = [
        {"id": "good", "secret_sha256": "1" * 64},
        {"id": "there", "secret_sha256": "2" * 64},
        {"id": "good", "secret_sha256": "1" * 64},
        {"id": "a", "secret_sha256": "3" * 64, "plan": "platinum", "organizations": ["acne"], "routes": ["x"]},
        {"id": "b"},
        {"id": "c", "secret_sha256": "short", "colour": "red"},
        {"id": "d", "secret": "a", "secret_sha256": "4" * 64},
        {"id": "e", "secret": " a"},
        {"id": "f", "secret": 5},
        {"id": "g", "secret": "gw_" + "0" * 38},
        {"id": "h", "certificate_subject": "CN=h"},
        {"id": "i", "certificate_subject": "CN=h"},
    ]
    refused = typed(file, "\n".join(json.dumps(line) for line in lines) + "\n{")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.splitlines() == [
        "<stdin>:2: error: there is a key `there` already; --replace takes its place",
        "<stdin>:3: error: the key in line 1 has the same id",
        "<stdin>:3: error: the key in line 1 has the same secret",
        "<stdin>:4: error: `x` matches no route",
        "<stdin>:4: error: there is no organization `acne`; did you mean `acme`?",
        "<stdin>:4: error: there is no plan `platinum`",
        "<stdin>:5: error: missing: a `secret_sha256`, a `certificate_subject` or, from standard input, a `secret`",
        "<stdin>:6: error: secret_sha256: a SHA-256 digest is 64 lower-case hexadecimal digits; colour: unknown key",
        "<stdin>:7: error: `secret` and `secret_sha256` do not go together",
        "<stdin>:8: error: secret: one line of text without spaces around it is wanted here; put it into quotes",
        "<stdin>:9: error: secret: one line of text without spaces around it is wanted here; put it into quotes",
        "<stdin>:10: error: secret: it has the form of those that are made here, and its checksum is wrong",
        "<stdin>:11: error: no listener asks clients for certificates; set `tls.client_ca` of one",
        "<stdin>:12: error: no listener asks clients for certificates; set `tls.client_ca` of one",
        "<stdin>:12: error: the key in line 11 has the same certificate",
        "<stdin>:13: error: not JSON; --format says which format it is",
    ]
    assert redis_server.ask("HGETALL", NAMES.ids) == before


def test_keys_of_one_line_are_reported_apart(file: Path) -> None:
    refused = typed(file, json.dumps([{"id": "a", "secret": "b"}, {"id": "a", "secret": "c"}]))
    assert (refused.exit_code, refused.stderr) == (1, "<stdin>:1: error: another key in line 1 has the same id\n")


def test_a_secret_does_not_come_from_a_file(file: Path, tmp_path: Path) -> None:
    source = tmp_path / "keys.yaml"
    source.write_text("- {id: a, secret: plain-one}\n")
    refused = keys(file, "import", str(source))
    assert refused.exit_code == 1
    assert "send it to standard input" in refused.stderr
    assert "plain-one" not in refused.output


def test_a_secret_of_another_key_is_reported(file: Path, redis_server: RedisProcess) -> None:
    done(typed(file, f"- {{id: a, secret_sha256: {'a' * 64}}}"))
    refused = typed(file, f"- {{id: b, secret_sha256: {'a' * 64}}}")
    assert refused.stderr == "<stdin>:1: error: key `a` has the same secret or certificate\n"
    assert set(stored(redis_server)) == {"a"}


def test_keys_may_take_the_place_of_others_and_keep_their_secrets(file: Path, redis_server: RedisProcess) -> None:
    done(typed(file, f"- {{id: a, secret_sha256: {'a' * 64}, plan: gold}}\n- {{id: b, secret_sha256: {'b' * 64}}}"))
    created = stored(redis_server)["a"]["created"]
    printed = done(
        typed(
            file,
            f"- {{id: a, organizations: [acme]}}\n- {{id: b, secret_sha256: {'d' * 64}}}\n- {{id: c, secret_sha256: {'c' * 64}}}",
            "--replace",
            "--yes",
        )
    )
    assert printed.endswith("3 keys imported, 2 of them in place of others\n")
    now = stored(redis_server)
    assert now["a"] == {
        "key": {"id": "a", "organizations": ["acme"]},
        "secrets": [{"sha256": "a" * 64}],
        "created": created,
    }
    assert set(redis_server.ask("HKEYS", NAMES.proofs)) == {b"a" * 64, b"d" * 64, b"c" * 64}


def test_what_a_replaced_key_loses_is_said_and_asked_for(file: Path, redis_server: RedisProcess) -> None:
    restricted = f"- {{id: a, secret_sha256: {'a' * 64}, routes: [orders.*], expires: 2099-01-01T00:00:00Z}}"
    done(typed(file, restricted))
    before = stored(redis_server)
    refused = typed(file, "- {id: a, plan: gold}", "--replace")
    assert refused.exit_code == 1
    assert "nothing was changed; with --yes nobody is asked" in refused.stderr
    assert "widening\n  key a: " in refused.stdout
    assert "plan standard -> gold" in refused.stdout
    assert stored(redis_server) == before
    assert "plan standard -> gold" in done(typed(file, "- {id: a, plan: gold}", "--replace", "--dry-run"))
    assert stored(redis_server) == before
    assert done(typed(file, restricted, "--replace")) == "1 key imported, 1 of them in place of others\n"


def test_programs_get_json_and_a_question_shows_what_it_is_about(file: Path, redis_server: RedisProcess) -> None:
    first = f"- {{id: a, secret_sha256: {'a' * 64}}}"
    assert json.loads(done(typed(file, first, "--output", "json"))) == {
        "keys": 1,
        "replaced": 0,
        "imported": True,
        "changes": [],
    }
    refused = typed(file, "- {id: a, plan: gold}", "--replace", "--output", "json")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "plan standard -> gold" in refused.stderr
    found = json.loads(done(typed(file, "- {id: a, plan: gold}", "--replace", "--yes", "--output", "json")))
    assert (found["replaced"], [each["name"] for each in found["changes"]]) == (1, ["a"])
    assert done(typed(file, "- {id: a}", "--replace", "--yes", "--quiet")) == ""


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(file: Path, redis_server: RedisProcess) -> None:
    done(typed(file, f"- {{id: a, secret_sha256: {'a' * 64}}}"))
    with registry_of(file) as registry, pytest.raises(click.ClickException, match="somebody else"):
        _keep(registry, [Candidate(1, {"id": "a"}, "b" * 64)], [], {}, replacing=True, dry_run=False)
    assert stored(redis_server)["a"]["secrets"] == [{"sha256": "a" * 64}]


def test_a_dry_run_imports_nothing(file: Path, redis_server: RedisProcess) -> None:
    assert done(typed(file, f"- {{id: a, secret_sha256: {'a' * 64}}}", "--dry-run")) == "1 key could be imported\n"
    assert redis_server.ask("KEYS", "*") == []


def test_the_format_may_be_chosen(file: Path) -> None:
    refused = typed(file, "- {id: a}", "--format", "jsonl")
    assert refused.stderr == "<stdin>:1: error: not JSON; --format says which format it is\n"


def test_an_unreadable_source_is_reported(file: Path, tmp_path: Path) -> None:
    source = tmp_path / "keys.csv"
    for content, message in ((None, "No such file"), (b"\xff", "this is not UTF-8 text")):
        if content is not None:
            source.write_bytes(content)
        refused = keys(file, "import", str(source))
        assert (refused.exit_code, message in refused.stderr) == (1, True)


def test_an_entry_that_gateways_would_not_read_is_not_imported(file: Path, redis_server: RedisProcess) -> None:
    refused = typed(file, json.dumps({"id": "a", "secret_sha256": "1" * 64, "routes": ["orders.all"] * 3000}))
    assert refused.exit_code == 1
    assert "<stdin>:1: error: its text is longer than" in refused.stderr
    assert stored(redis_server) == {}
