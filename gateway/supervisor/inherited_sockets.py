"""Receives what a supervisor inherits: sockets from systemd, or sockets and metrics from its predecessor.

systemd passes bound sockets as sd_listen_fds(3) says. The supervisor of another release passes everything that has to
survive it, and a socket over which the two speak:

    new    ready     my workers accept connections, on the same sockets as yours
    old    yours     my admin listener is closed, and I do not speak for the node any more
    old    (end)     my workers have finished and ended
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

import msgspec
import structlog

from gateway.net.listen import spelled
from gateway.observe.shared_memory import Region
from gateway.upstream.maintenance_switch import MaintenanceSwitch

VARIABLE = "GATEWAY_INHERITED"
READY, YOURS = b"ready", b"yours"
ADMIN = "admin"
READY_WITHIN_S = 60.0
YOURS_WITHIN_S = 10.0
_FIRST_FD = 3


class InheritedSockets(msgspec.Struct):
    """`sockets` by name, and `regions`, the memory of metrics.

    `switch` is that for maintenance.
    `predecessor` is the socket to the supervisor that is being replaced, None if there is none. `lasting` are the names
    of the sockets that systemd keeps open after this process has ended.
    """

    sockets: dict[str, list[socket.socket]] = {}
    lasting: set[str] = set()
    regions: list[Region] = []
    predecessor: socket.socket | None = None
    switch: MaintenanceSwitch = msgspec.field(default_factory=MaintenanceSwitch.shared)


def inherit(environ: MutableMapping[str, str]) -> InheritedSockets:
    """Read what `environ` says, and remove it there, so that no child process finds it."""
    handed_over = environ.pop(VARIABLE, "")
    listen = {name: environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if handed_over:
        given = json.loads(handed_over)
        sockets = {name: [_socket(fd) for fd in fds] for name, fds in given["sockets"].items()}
        regions, switch = list(_regions(given["regions"])), _switch(given.get("maintenance"))
        return InheritedSockets(sockets, set(given.get("lasting", ())), regions, _socket(given["line"]), switch)
    if listen["LISTEN_PID"] != str(os.getpid()):
        return InheritedSockets()
    sockets = {}
    names = listen["LISTEN_FDNAMES"].split(":")
    for at in range(int(listen["LISTEN_FDS"] or 0)):
        sock = _socket(_FIRST_FD + at)
        name = names[at] if at < len(names) else ""
        # systemd names a socket without FileDescriptorName= after its unit, or "unknown".
        known = name if name and not name.endswith(".socket") and name != "unknown" else spelled(sock)
        sockets.setdefault(known, []).append(sock)
    return InheritedSockets(sockets, set(sockets))


class Successor:
    """This program started again, from what is on disk now, with all that it needs to replace this process.

    `maintenance` is the file of the switch, -1 for none. Raises OSError when it cannot be started.
    """

    def __init__(
        self,
        sockets: Mapping[str, list[socket.socket]],
        regions: Iterable[Region],
        environ: Mapping[str, str],
        lasting: Iterable[str] = (),
        maintenance: int = -1,
    ) -> None:
        self._line, theirs = socket.socketpair()
        self._line.settimeout(0)
        named = {name: [sock.fileno() for sock in each] for name, each in sockets.items()}
        counted = [region.fd for region in regions if region.fd is not None]
        fds = [*(fd for each in named.values() for fd in each), *counted, theirs.fileno()]
        fds += [maintenance] if maintenance >= 0 else []
        handed_over = {"sockets": named, "lasting": sorted(lasting), "regions": counted, "line": theirs.fileno()}
        handed_over |= {"maintenance": maintenance} if maintenance >= 0 else {}
        environment = {**environ, VARIABLE: json.dumps(handed_over)}
        environment.pop("WATCHDOG_PID", None)
        with theirs:
            self._process = subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env=environment, pass_fds=fds)
        self.pid = self._process.pid
        structlog.get_logger().info("handing over", pid=self.pid)

    async def accepted(self) -> bool:
        """Wait until the new program serves.

        Returns False if it does not become ready: then it is killed, and nothing has changed.
        """
        message = b""
        try:
            with contextlib.suppress(OSError, TimeoutError):
                message = await asyncio.wait_for(
                    asyncio.get_running_loop().sock_recv(self._line, len(READY)), READY_WITHIN_S
                )
        finally:
            if message != READY:
                self._process.kill()
                structlog.get_logger().error(
                    "no hand-over: the new program did not become ready", pid=self.pid, code=self._process.wait()
                )
                self._line.close()
        return message == READY

    async def take_over(self) -> None:
        """Tell the new program that it speaks for the node from now on."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self._line, YOURS)
        structlog.get_logger().info("handed over", pid=self.pid)


async def take_over_from(
    predecessor: socket.socket, begin: Callable[[], Awaitable[None]], on_end: Callable[[], None]
) -> None:
    """Tell the old program that this one serves; call `begin` when it answers, and `on_end` when it has ended."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, TimeoutError):
        await loop.sock_sendall(predecessor, READY)
        await asyncio.wait_for(loop.sock_recv(predecessor, len(YOURS)), YOURS_WITHIN_S)
    await begin()

    def ended() -> None:
        loop.remove_reader(predecessor.fileno())
        predecessor.close()
        on_end()

    loop.add_reader(predecessor.fileno(), ended)


def _socket(fd: int) -> socket.socket:
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    sock.settimeout(0)
    return sock


def _regions(fds: Iterable[int]) -> Iterable[Region]:
    for fd in fds:
        os.set_inheritable(fd, False)
        try:
            yield Region.opened(fd)
        except (OSError, ValueError):  # another release may use another format: then its counters start again at zero
            os.close(fd)


def _switch(fd: int | None) -> MaintenanceSwitch:
    if fd is None:
        return MaintenanceSwitch.shared()
    os.set_inheritable(fd, False)
    return MaintenanceSwitch.opened(fd)
