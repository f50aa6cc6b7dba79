"""Addresses that are free, taken, or left behind by somebody who was killed."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from gateway.net.listen import Bound
from gateway.net.listen import bind as bind_at
from gateway.settings.schema.addresses import listen_address


def bind(address: str, mode: str = "0600") -> Bound:
    return bind_at(listen_address(address), mode=mode)


@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "[::1]")])
def test_a_free_port(host: str, name: str) -> None:
    bound = bind(f"{host}:0")
    assert bound.name == f"{name}:{bound.sock.getsockname()[1]}"
    bound.release()


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(OSError, match=f"Address already in use: {address}") as caught:
            bind(address)
        assert caught.value.errno == errno.EADDRINUSE


def test_a_name_that_nobody_knows_is_reported_as_unknown() -> None:
    with pytest.raises(socket.gaierror) as caught:
        bind("no-such-host.invalid:8080")
    assert "Unknown error" not in str(caught.value.strerror)
    assert str(caught.value.strerror).endswith(": no-such-host.invalid:8080")


def test_a_unix_socket_has_its_permissions_and_goes_when_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "s"
    before = os.umask(0o022)
    os.umask(before)
    bound = bind(f"unix:{path}", mode="0620")
    assert bound.name == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o620
    assert os.umask(before) == before
    bound.release()
    assert not path.exists()
    bound.release()


def test_what_a_killed_one_has_left_is_removed(tmp_path: Path) -> None:
    address = f"unix:{tmp_path / 's'}"
    bind(address).sock.close()
    again = bind(address)
    again.sock.listen()
    with pytest.raises(OSError, match="Address already in use: unix:") as caught:
        bind(address)
    assert caught.value.errno == errno.EADDRINUSE
    again.release()


def test_a_full_backlog_is_somebody_who_listens(tmp_path: Path) -> None:
    bound = bind(f"unix:{tmp_path / 's'}")
    bound.sock.listen(0)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(str(tmp_path / "s"))
        with pytest.raises(OSError, match="Address already in use"):
            bind(f"unix:{tmp_path / 's'}")
    bound.release()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("mine")
    with pytest.raises(OSError, match="File exists: unix:"):
        bind(f"unix:{tmp_path / 's'}")
    assert (tmp_path / "s").read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"No such file or directory: unix:{tmp_path}/none/s"):
        bind(f"unix:{tmp_path}/none/s")


def test_the_file_of_a_successor_stays(tmp_path: Path) -> None:
    bound = bind(f"unix:{tmp_path / 's'}")
    (tmp_path / "s").unlink()
    successor = bind(f"unix:{tmp_path / 's'}")
    bound.release()
    assert (tmp_path / "s").exists()
    successor.release()
