import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.net.address import Address
from gateway.net.listen import bind, spelled
from gateway.settings.schema.server import ListenerSettings
from gateway.supervisor.listening_sockets import Sockets, name_of


def listener(name: str = "public", address: str = "127.0.0.1:0") -> ListenerSettings:
    return ListenerSettings.model_validate({"id": name, "address": address})


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    made = Sockets()
    yield made
    made.release([])


def test_every_worker_has_one_of_its_own_on_one_port(sockets: Sockets) -> None:
    wanted = [listener("a"), listener("b")]
    sockets.provide(wanted, 3)
    shares = [sockets.share(wanted, worker, 3) for worker in range(3)]
    for at in range(2):
        own = [share[at][1] for share in shares]
        assert [len(each) for each in own] == [1, 1, 1]
        assert len({each[0].fileno() for each in own}) == 3
        assert {spelled(each[0]) for each in own} == {sockets.addresses(wanted)[at]}
    assert len(set(sockets.addresses(wanted))) == 2


def test_fewer_workers_leave_no_socket_alone(sockets: Sockets) -> None:
    wanted = [listener()]
    sockets.provide(wanted, 5)
    sockets.provide(wanted, 2)
    shared = [[sock.fileno() for sock in sockets.share(wanted, worker, 2)[0][1]] for worker in range(2)]
    assert sorted(map(len, shared)) == [2, 3]
    assert len({fd for each in shared for fd in each}) == 5


def test_a_socket_without_reuseport_is_shared_by_all_workers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        address = spelled(given)
        wanted = [listener(address=address)]
        sockets = Sockets({address: [given]})
        sockets.provide(wanted, 3)
        assert [sockets.share(wanted, worker, 3)[0][1] for worker in range(3)] == [[given]] * 3


@pytest.mark.parametrize("known_as", ["public@127.0.0.1:0", "127.0.0.1:0", "public"])
def test_what_is_inherited_is_known_by_its_name_address_or_id(known_as: str) -> None:
    with bind(Address("127.0.0.1", 0)).sock as given, bind(Address("127.0.0.1", 0)).sock as unwanted:
        sockets = Sockets({known_as: [given], "another": [unwanted]})
        sockets.provide([listener()], 1)
        sockets.close_unused()
        assert sockets.share([listener()], 0, 1)[0][1] == [given]
        assert unwanted.fileno() == -1


def test_nobody_else_gets_a_port_that_is_served() -> None:
    with bind(Address("127.0.0.1", 0)).sock as first:
        address = Address("127.0.0.1", first.getsockname()[1])
        with pytest.raises(OSError, match=f"already in use: {address}"):
            bind(address)
        with bind(address, reuseport_sibling=first).sock as reuseport_sibling:
            assert reuseport_sibling.getsockname() == first.getsockname()


def test_when_one_cannot_be_had_all_is_as_before(sockets: Sockets) -> None:
    wanted = [listener()]
    sockets.provide(wanted, 1)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        sockets.provide([*wanted, listener("b", spelled(taken))], 2)
    assert [len(each) for each in sockets.open.values()] == [1]
    sockets.release([])
    assert sockets.open == {}


def test_a_listener_is_its_address_unless_the_system_chooses_one() -> None:
    assert name_of(listener("a", "127.0.0.1:80")) == name_of(listener("b", "127.0.0.1:80")) == "127.0.0.1:80"
    assert name_of(listener("a")) != name_of(listener("b"))


def test_a_unix_socket_is_shared_and_its_file_goes_with_it(tmp_path: Path) -> None:
    wanted = [listener(address=f"unix:{tmp_path}/s")]
    sockets = Sockets()
    sockets.provide(wanted, 2)
    assert [sockets.share(wanted, worker, 2)[0][1] for worker in range(2)] == [*sockets.open.values()] * 2
    successor = Sockets({name: [each[0].dup()] for name, each in sockets.open.items()})
    successor.provide(wanted, 2)
    assert successor.addresses(wanted) == sockets.addresses(wanted)
    successor.release([])
    assert not (tmp_path / "s").exists()
    sockets.release([])


def refused(address: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 2):
            return False
    except ConnectionRefusedError:
        return True


def test_connections_are_refused_until_a_worker_accepts_again(sockets: Sockets) -> None:
    wanted = [listener()]
    sockets.provide(wanted, 2)
    (address,) = sockets.addresses(wanted)
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as waiting:
        sockets.reject()
        assert refused(address)
        waiting.settimeout(5)
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)
    sockets.reject()
    sockets.reopen(wanted)
    assert refused(address)
    assert sockets.addresses(wanted) == [address]
    sockets.listen(wanted, 1, 2)
    (sock,) = sockets.share(wanted, 1, 2)[0][1]
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
        accepted, _ = sock.accept()
        with accepted:
            accepted.settimeout(0)
            with pytest.raises(BlockingIOError):  # no data has arrived, and no end
                accepted.recv(1)


def test_a_unix_socket_is_made_anew(sockets: Sockets) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = [listener(address=f"unix:{folder}/gateway.sock")]
        sockets.provide(wanted, 2)
        sockets.reject()
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(FileNotFoundError):
            client.connect(f"{folder}/gateway.sock")
        sockets.reopen(wanted)
        sockets.reopen(wanted)
        assert [sockets.share(wanted, worker, 2)[0][1] for worker in range(2)] == [sockets.open[name_of(wanted[0])]] * 2
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{folder}/gateway.sock")


def test_sockets_of_systemd_are_never_refused_nor_removed() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as given:
        given.bind(f"{folder}/gateway.sock")
        given.listen(8)
        wanted = [listener(address=f"unix:{folder}/gateway.sock"), listener("b")]
        sockets = Sockets({"public": [given.dup()]}, ["public"])
        sockets.provide(wanted, 1)
        assert sockets.ours(wanted) == [1]
        assert name_of(wanted[0]) in sockets.lasting
        sockets.reject()
        sockets.release([])
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{folder}/gateway.sock")


def test_the_repr_counts_them(sockets: Sockets) -> None:
    sockets.provide([listener("a")], 2)
    assert repr(sockets).startswith("<Sockets 2 × ")
