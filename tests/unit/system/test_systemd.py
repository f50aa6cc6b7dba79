import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.system.systemd import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind(str(tmp_path / "notify"))
        yield sock


def test_it_sends_notifications(systemd: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd.getsockname()})
    notifier.notify("READY=1", "MAINPID=5")
    assert systemd.recv(1000) == b"READY=1\nMAINPID=5"
    notifier.reloading(12.5)
    assert systemd.recv(1000) == b"RELOADING=1\nMONOTONIC_USEC=12500000"


def test_an_abstract_socket_is_supported() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind(f"\0gateway-test-{os.getpid()}")
        Notifier({"NOTIFY_SOCKET": f"@gateway-test-{os.getpid()}"}).notify("READY=1")
        assert sock.recv(1000) == b"READY=1"


def test_the_watchdog_is_notified_twice_in_its_interval(systemd: socket.socket) -> None:
    notifier = Notifier(
        {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}
    )
    heard = []
    for now in (100.0, 101.0, 101.9, 102.0, 103.5, 104.1):
        notifier.alive(now)
        try:
            heard.append((now, systemd.recv(1000)))
        except BlockingIOError:
            continue
    assert heard == [(now, b"WATCHDOG=1") for now in (100.0, 102.0, 104.1)]


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, {"NOTIFY_SOCKET": "/nowhere/at/all"}]
)
def test_without_a_socket_nothing_happens(environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    notifier.notify("READY=1")
    notifier.alive(100.0)
