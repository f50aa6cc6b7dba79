import re
from pathlib import Path

import yaml
from click.testing import CliRunner

from gateway.cli import main, secret

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


def test_the_block_says_what_was_asked_for() -> None:
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


def test_a_name_that_the_configuration_would_refuse_is_refused_here() -> None:
    done = CliRunner().invoke(main, ["keys", "create", "--id", "a b"])
    assert done.exit_code == 2
    assert "`a b` is not an id" in done.stderr
    assert "gw_" not in done.output
