import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", *arguments])


@pytest.mark.parametrize("arguments", [(), ("-c", "gateway.yaml", "--upstream", "http://127.0.0.1:1")])
def test_either_a_file_or_a_url(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "either -c FILE or --upstream URL" in done.stderr


def test_a_file_says_itself_where_to_listen() -> None:
    done = run("-c", "gateway.yaml", "--listen", "127.0.0.1:1")
    assert done.exit_code == 2
    assert "--listen belongs to --upstream" in done.stderr


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = run("-c", str(tmp_path / "none.yaml"))
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1


def test_a_url_that_is_none_is_explained() -> None:
    done = run("--upstream", "localhost:3000")
    assert done.exit_code == 1
    assert "http://" in done.stderr


def test_an_address_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("--upstream", "http://127.0.0.1:1", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.exit_code == 1
    assert "another program listens there" in done.stderr
    assert "Traceback" not in done.output
