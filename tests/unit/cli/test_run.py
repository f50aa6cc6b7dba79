import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.cli.run import at
from gateway.settings import from_upstream
from tests.yaml_files import LEAST


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", *arguments])


@pytest.mark.parametrize("arguments", [(), ("-c", "gateway.yaml", "--upstream", "http://127.0.0.1:1")])
def test_either_a_file_or_a_url(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "either -c FILE or --upstream URL" in done.stderr


@pytest.mark.parametrize("option", ["--listen", "--admin"])
def test_addresses_cannot_be_given_beside_a_file(option: str) -> None:
    done = run("-c", "gateway.yaml", option, "127.0.0.1:1")
    assert done.exit_code == 2
    assert "--listen and --admin belong to --upstream" in done.stderr


@pytest.mark.parametrize("option", ["--listen", "--admin"])
def test_an_address_that_is_none_is_a_usage_error(option: str) -> None:
    done = run("--upstream", "http://127.0.0.1:1", option, "8080")
    assert done.exit_code == 2
    assert "host:port" in done.stderr


def test_a_url_is_served_where_it_was_asked_for() -> None:
    config = from_upstream("http://127.0.0.1:1")
    moved = at(config, "0.0.0.0:1", "0.0.0.0:2")
    assert (str(moved.server.listeners[0].address), str(moved.admin.address)) == ("0.0.0.0:1", "0.0.0.0:2")
    assert at(config, None, None) == config


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


def test_a_url_has_nothing_to_watch() -> None:
    done = run("--upstream", "http://127.0.0.1:1", "--watch")
    assert done.exit_code == 2
    assert "--watch belongs to -c" in done.stderr


def test_an_address_of_a_file_may_be_in_use_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "f.yaml").write_text(f'{LEAST}server: {{listeners: [{{address: "{address}"}}]}}\n')
        done = run("-c", str(tmp_path / "f.yaml"))
    assert done.exit_code == 1
    assert "another program listens there" in done.stderr
