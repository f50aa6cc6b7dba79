"""The command `gateway openapi`."""

from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from tests.contract_documents import DOCUMENTS

PETS = str(DOCUMENTS / "pets.yaml")


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["openapi", "import", *arguments], input=stdin)
    return done.exit_code, done.output


def test_routes_are_printed() -> None:
    code, output = run(PETS, "--upstream", "pets")
    assert code == 0
    assert "- id: listPets\n    match: {path: /api/pets, methods: [GET]}\n" in output
    assert run("-", "--upstream", "pets", stdin=Path(PETS).read_text()) == (code, output)


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
    ):
        assert run("-", *wrong, stdin="")[0] == 2
