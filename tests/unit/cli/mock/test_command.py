"""cli/mock/command.py: the mock takes the place of all upstreams, and a gateway is in front of it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.mock.command import in_front_of
from gateway.settings import parse
from tests.mock_documents import PETS


def test_targets_are_replaced_and_their_paths_kept() -> None:
    config = parse("""
version: 1
upstreams:
- {id: u, targets: [{url: "https://a.example.com/base"}, {url: "https://b.example.com"}], health: {path: /h}, breaker: {}}
- {id: v, targets: [{url: "http://c.example.com"}]}
routes: [{id: r, match: {prefix: /}, upstream: u}]
""")
    mocked = in_front_of(config, 8765)
    assert [[str(target.url) for target in each.targets] for each in mocked.upstreams] == [
        ["http://127.0.0.1:8765/base"],
        ["http://127.0.0.1:8765"],
    ]
    assert (mocked.upstreams[0].health, mocked.upstreams[0].breaker) == (None, None)


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--latency", "soon"), 2, "or a range such as 50ms-200ms"),
        (("--latency", "2s-1s"), 2, "a range begins with the shorter time"),
        (("--errors", "many"), 2, "--errors"),
        (("-c", "missing.yaml"), 1, "missing.yaml"),
    ],
)
def test_what_cannot_be_served(tmp_path: Path, options: tuple[str, ...], code: int, text: str) -> None:
    document = tmp_path / "pets.yaml"
    document.write_text(PETS)
    done = CliRunner().invoke(main, ["mock", str(document), *options])
    assert (done.exit_code, text in done.stderr) == (code, True)


def test_documents_have_to_be_right(tmp_path: Path) -> None:
    document = tmp_path / "pets.yaml"
    document.write_text("openapi: 3.1.0\n")
    done = CliRunner().invoke(main, ["mock", str(document)])
    assert (done.exit_code, "pets.yaml:" in done.stderr) == (1, True)
