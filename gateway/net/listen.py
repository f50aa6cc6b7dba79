"""Binds listening sockets, TCP and unix."""

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

import msgspec

from gateway.net.address import Address, UnixAddress

BACKLOG = 1024
_NOBODY = 0o777
"""A umask: no process may connect before the permissions of the socket are set."""


class Bound(msgspec.Struct, frozen=True):
    """A bound socket. `name` is its address as logs spell it, `file` the inode of a unix socket, None for TCP."""

    sock: socket.socket
    name: str
    file: tuple[int, int] | None = None

    def release(self) -> None:
        """Close it, and remove the file of a unix socket unless another process has bound the path since."""
        if self.file is not None:
            path = self.name.removeprefix("unix:")
            with contextlib.suppress(OSError):
                if _inode(path) == self.file:
                    Path(path).unlink()
        self.sock.close()


def bind(
    address: Address | UnixAddress,
    *,
    mode: str = "0600",
    reuseport_sibling: socket.socket | None = None,
    alone: bool = False,
) -> Bound:
    """Return a listening socket.

    With `reuseport_sibling` it is bound to the port of that socket, and listens only once a worker accepts on it.
    `alone` leaves SO_REUSEPORT out, so that it can have no sibling. `mode` sets the permissions of a unix socket.
    Raises OSError that names the address.
    """
    try:
        if isinstance(address, UnixAddress):
            return _unix(address.path, int(mode, 8))
        return _tcp(address, reuseport_sibling, alone=alone)
    except socket.gaierror as error:  # its error numbers are not those of `errno`
        raise socket.gaierror(error.errno, f"{error.strerror}: {address}") from error
    except OSError as error:
        raise OSError(error.errno, f"{os.strerror(error.errno or 0)}: {address}") from error


def shut(sock: socket.socket) -> None:
    """Make the system refuse new connections at once, also where other processes have `sock` open.

    The socket keeps its address and may listen again. One that does not listen is not touched: Linux would remember the
    shutdown, and every connection that it accepts later would be at its end from the beginning.
    """
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        with contextlib.suppress(OSError):  # another process has shut it down already
            sock.shutdown(socket.SHUT_RD)


def spelled(sock: socket.socket) -> str:
    """Return its address as logs spell it: `host:port` or `unix:path`."""
    if sock.family == socket.AF_UNIX:
        return f"unix:{sock.getsockname()}"
    host, port = sock.getsockname()[:2]
    return str(Address(host, port))


def known(sock: socket.socket) -> Bound:
    """Return a socket that another process of this machine has bound."""
    name = spelled(sock)
    with contextlib.suppress(OSError):
        if sock.family == socket.AF_UNIX:
            return Bound(sock, name, _inode(name.removeprefix("unix:")))
    return Bound(sock, name)


def _tcp(address: Address, reuseport_sibling: socket.socket | None, *, alone: bool) -> Bound:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    if reuseport_sibling is not None:
        address = Address(address.host, reuseport_sibling.getsockname()[1])
    elif address.port:
        # With SO_REUSEPORT alone, a second gateway of the same user would receive half of the connections.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not alone:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        if not (alone or address.port):
            # Bind again by number: a port that the system has chosen is lost when no process listens on it for a while.
            with sock as chosen:
                bound = _tcp(address, chosen, alone=alone)
            bound.sock.listen(BACKLOG)
            return bound
        if reuseport_sibling is None:
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.settimeout(0)
    return Bound(sock, spelled(sock))


def _unix(path: str, mode: int) -> Bound:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(_NOBODY)
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        file = _inode(path)
        sock.listen(BACKLOG)
        Path(path).chmod(mode)
    except OSError:
        sock.close()
        raise
    sock.settimeout(0)
    return Bound(sock, f"unix:{path}", file)


def _remove_stale(path: str) -> None:
    """Remove the file of a gateway that was killed.

    Raises OSError when a process listens there, or it is not a socket.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)  # a process that is too busy to accept does listen
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            Path(path).unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, "another process listens there")


def _inode(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
