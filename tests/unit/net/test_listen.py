"""net/listen.py: addresses that are free, in use, or left by a process that was killed."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from gateway.net.listen import Bound, known, shut, spelled
from gateway.net.listen import bind as bind_at
from gateway.settings.schema.addresses import listen_address


def bind(address: str, mode: str = "0600") -> Bound:
    return bind_at(listen_address(address), mode=mode)


@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "[::1]")])
def test_a_free_port(host: str, name: str) -> None:
    bound = bind(f"{host}:0")
    assert bound.name == f"{name}:{bound.sock.getsockname()[1]}"
    bound.release()


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(OSError, match=f"Address already in use: {address}") as caught:
            bind(address)
        assert caught.value.errno == errno.EADDRINUSE


def test_an_unknown_host_name_is_named() -> None:
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


def test_the_file_of_a_killed_process_is_removed(tmp_path: Path) -> None:
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


def test_a_file_that_is_no_socket_is_kept(tmp_path: Path) -> None:
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


def test_a_port_without_siblings_listens_at_once() -> None:
    bound = bind_at(listen_address("127.0.0.1:0"), alone=True)
    assert bound.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert not bound.sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    with pytest.raises(OSError, match="Address already in use"):
        bind_at(listen_address(bound.name), alone=True)
    bound.release()


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(OSError, match=r"Cannot assign requested address: 192\.0\.2\.1:0"):
        bind("192.0.2.1:0")


def test_a_socket_that_is_shut_refuses_and_may_listen_again() -> None:
    bound = bind("127.0.0.1:0")
    for _ in range(2):
        shut(bound.sock)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(bound.sock.getsockname())
    bound.sock.listen()
    socket.create_connection(bound.sock.getsockname()).close()
    bound.release()


def test_sockets_of_another_process_have_their_names(tmp_path: Path) -> None:
    for address in ("127.0.0.1:0", f"unix:{tmp_path / 's'}"):
        bound = bind(address)
        again = known(bound.sock.dup())
        assert again.name == bound.name == spelled(bound.sock)
        again.release()
        bound.sock.close()
    assert not (tmp_path / "s").exists()


def test_a_unix_socket_whose_file_is_gone_is_known_by_its_name(tmp_path: Path) -> None:
    bound = bind(f"unix:{tmp_path / 's'}")
    (tmp_path / "s").unlink()
    assert known(bound.sock).name == bound.name
    bound.release()
