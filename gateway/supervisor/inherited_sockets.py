"""What a supervisor begins with that somebody else has made: sockets, and the memory of metrics.

From systemd it is sockets that are bound already (sd_listen_fds(3)). From the supervisor of another release it is all
that must not be lost when that one ends, and a line to it:

    new    ready     my workers accept connections, on the same sockets as yours
    old    yours     the admin listener is closed, and nothing of mine speaks for the node any more
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

VARIABLE = "GATEWAY_INHERITED"
READY, YOURS = b"ready", b"yours"
ADMIN = "admin"
READY_WITHIN_S = 60.0
YOURS_WITHIN_S = 10.0
_FIRST_FD = 3


class Inheritance(msgspec.Struct):
    """`sockets` by name, `regions` of those who counted before. `predecessor` is the line to the one who ends, None if nobody does.

    `lasting` are the names of the sockets that are systemd's, which keeps them when we are gone.
    """

    sockets: dict[str, list[socket.socket]] = {}
    lasting: set[str] = set()
    regions: list[Region] = []
    predecessor: socket.socket | None = None


def inherit(environ: MutableMapping[str, str]) -> Inheritance:
    """What this process was given; nobody who is started from here will find it in `environ`."""
    told = environ.pop(VARIABLE, "")
    listen = {name: environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if told:
        given = json.loads(told)
        sockets = {name: [_socket(fd) for fd in fds] for name, fds in given["sockets"].items()}
        return Inheritance(sockets, set(given.get("lasting", ())), list(_regions(given["regions"])), _socket(given["line"]))
    if listen["LISTEN_PID"] != str(os.getpid()):
        return Inheritance()
    sockets = {}
    names = listen["LISTEN_FDNAMES"].split(":")
    for at in range(int(listen["LISTEN_FDS"] or 0)):
        sock = _socket(_FIRST_FD + at)
        name = names[at] if at < len(names) else ""
        # systemd calls those that nobody named after their unit, or "unknown".
        known = name if name and not name.endswith(".socket") and name != "unknown" else spelled(sock)
        sockets.setdefault(known, []).append(sock)
    return Inheritance(sockets, set(sockets))


class Will:
    """This program started again, as it is on disk by now, with all that it needs to take our place. Raises OSError."""

    def __init__(
        self,
        sockets: Mapping[str, list[socket.socket]],
        regions: Iterable[Region],
        environ: Mapping[str, str],
        lasting: Iterable[str] = (),
    ) -> None:
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        named = {name: [sock.fileno() for sock in each] for name, each in sockets.items()}
        counted = [region.fd for region in regions if region.fd is not None]
        fds = [*(fd for each in named.values() for fd in each), *counted, theirs.fileno()]
        told = {"sockets": named, "lasting": sorted(lasting), "regions": counted, "line": theirs.fileno()}
        environment = {**environ, VARIABLE: json.dumps(told)}
        environment.pop("WATCHDOG_PID", None)
        with theirs:
            self._successor = subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env=environment, pass_fds=fds)
        self.pid = self._successor.pid
        structlog.get_logger().info("handing over", pid=self.pid)

    async def accepted(self) -> bool:
        """Whether the new program serves. If it does not it has ended, and nothing has changed."""
        told = b""
        try:
            with contextlib.suppress(OSError, TimeoutError):
                told = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._line, len(READY)), READY_WITHIN_S)
        finally:
            if told != READY:
                self._successor.kill()
                structlog.get_logger().error(
                    "no hand-over: the new program did not become ready", pid=self.pid, code=self._successor.wait()
                )
                self._line.close()
        return told == READY

    async def execute(self) -> None:
        """From here on the new program speaks for the node."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self._line, YOURS)
        structlog.get_logger().info("handed over", pid=self.pid)


async def succeed(predecessor: socket.socket, begin: Callable[[], Awaitable[None]], inherit_rest: Callable[[], None]) -> None:
    """Tell the old program that we serve, `begin` when we are to speak for the node, and `inherit_rest` when it has ended."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, TimeoutError):
        await loop.sock_sendall(predecessor, READY)
        await asyncio.wait_for(loop.sock_recv(predecessor, len(YOURS)), YOURS_WITHIN_S)
    await begin()

    def ended() -> None:
        loop.remove_reader(predecessor.fileno())
        predecessor.close()
        inherit_rest()

    loop.add_reader(predecessor.fileno(), ended)


def _socket(fd: int) -> socket.socket:
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock


def _regions(fds: Iterable[int]) -> Iterable[Region]:
    for fd in fds:
        os.set_inheritable(fd, False)
        try:
            yield Region.opened(fd)
        except (OSError, ValueError):  # another release keeps its numbers in another way: they begin anew
            os.close(fd)
