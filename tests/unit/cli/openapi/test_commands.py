"""The command `gateway openapi`."""

import json
from pathlib import Path

import yaml
from click.testing import CliRunner

from gateway.cli import main
from tests.contract_documents import DOCUMENTS

PETS = str(DOCUMENTS / "pets.yaml")


def call(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["openapi", *arguments], input=stdin)
    return done.exit_code, done.output


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    return call("import", *arguments, stdin=stdin)


def test_routes_are_printed() -> None:
    code, output = run(PETS, "--upstream", "pets")
    assert code == 0
    assert "- id: listPets\n    match: {path: /api/pets, methods: [GET]}\n" in output
    assert run("-", "--upstream", "pets", stdin=Path(PETS).read_text()) == (code, output)
    code, output = run(PETS, "--upstream", "pets", "--request", "shadow", "--response", "2.50%")
    assert output.count(f"response: {{openapi: {PETS}, operation: ") == output.count("share: 2.5%}") == 4


def test_a_file_is_written_and_merged(tmp_path: Path) -> None:
    target = tmp_path / "routes.yaml"
    code, output = run(PETS, "--upstream", "pets", "--prefix", "/v1", "--request", "enforce", "--write", str(target))
    assert (code, output) == (0, f"new: listPets, createPet, getPet, deletePet\n{target}: 4 routes\n")
    before = target.read_text()
    assert "openapi: ../" in before
    code, output = run(PETS, "--upstream", "pets", "--prefix", "/v1", "--request", "enforce", "--write", str(target))
    assert (code, output) == (0, f"{target}: 4 routes\n")
    assert target.read_text() == before
    code, output = run(PETS, "--upstream", "other", "--tag", "pets", "--write", str(target))
    assert code == 0
    assert "changed: listPets, createPet\n" in output
    assert "no longer in the document: getPet, deletePet\n" in output


def test_programs_get_json_and_others_nothing_if_they_like(tmp_path: Path) -> None:
    target = tmp_path / "routes.yaml"
    code, output = run(PETS, "--upstream", "pets", "--output", "json")
    assert (code, json.loads(output)["routes"][0]["match"]) == (0, {"path": "/api/pets", "methods": ["GET"]})
    code, output = run(PETS, "--upstream", "pets", "--write", str(target), "--output", "json")
    found = json.loads(output)
    assert (code, found["file"], found["routes"], found["changed"]) == (0, str(target), 4, [])
    assert found["added"] == ["listPets", "createPet", "getPet", "deletePet"]
    assert run(PETS, "--upstream", "pets", "--write", str(target), "--quiet") == (0, "")


def test_what_is_wrong_is_reported(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text("openapi: 3.1.0\npaths: {/a/*: {get: {}}}")
    code, output = run(str(tmp_path / "d.yaml"), "--upstream", "a")
    assert code == 1
    assert "left out" in output
    assert "there is no operation to import" in output
    (tmp_path / "d.yaml").write_text("openapi: 3.1.0\npaths: {a: {get: {}}}")
    code, output = run(str(tmp_path / "d.yaml"), "--upstream", "a")
    assert (code, "d.yaml:2:9: error: paths.a: a path begins with `/`" in output) == (1, True)
    for wrong in (
        ["--upstream", " "],
        ["--upstream", "a", "--prefix", "x"],
        ["--upstream", "a", "--request", "shadow"],
        ["--upstream", "a", "--response", "5%"],
        ["--upstream", "a", "--response", "5"],
    ):
        assert run("-", *wrong, stdin="")[0] == 2


def test_a_document_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(f"""
version: 1
upstreams: [{{id: u, targets: [{{url: "http://127.0.0.1:9"}}]}}]
organizations: [{{id: acme}}, {{id: other}}]
keys:
  - {{id: k, secret_sha256: {"a" * 64}, organizations: [acme], routes: ["pets.*"]}}
  - {{id: all, secret_sha256: {"b" * 64}, organizations: [other]}}
routes:
  - {{id: pets.new, upstream: u, match: {{path: /pets, methods: [POST]}}, request: {{openapi: {Path(PETS).resolve()}, operation: createPet}}}}
  - {{id: secret, upstream: u, match: {{path: /secret, methods: [GET]}}}}
  - {{id: open, upstream: u, match: {{path: /open, methods: [GET]}}, auth: none}}
""")
    code, output = call("export", "-c", str(file))
    assert code == 0
    assert set(json.loads(output)["paths"]) == {"/pets", "/secret", "/open"}
    code, written = call("export", "-c", str(file), "--output", "yaml")
    assert yaml.safe_load(written) == json.loads(output)
    assert set(json.loads(call("export", "-c", str(file), "--organization", "acme")[1])["paths"]) == {"/pets", "/open"}
    assert len(json.loads(call("export", "-c", str(file), "--organization", "other")[1])["paths"]) == 3
    assert call("export", "-c", str(file), "--organization", "none") == (1, "Error: there is no organisation none\n")
