"""Listening addresses as the operating system gives them out."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.settings.schema.addresses import UnixAddress
from gateway.settings.schema.server import Listener
from gateway.settings.schema.values import Address

_NOBODY = 0o777
"""As a umask: nobody may connect before the permissions are set."""


class Bound(msgspec.Struct, frozen=True):
    """A bound socket, and how a log spells its address. `file` is the inode of a unix socket, None for TCP."""

    sock: socket.socket
    name: str
    file: tuple[int, int] | None = None

    def release(self) -> None:
        """Close it. The file of a unix socket goes, unless somebody else listens there by now."""
        if self.file is not None:
            path = self.name.removeprefix("unix:")
            with contextlib.suppress(OSError):
                if _inode(path) == self.file:
                    Path(path).unlink()
        self.sock.close()


def bind_all(settings: Iterable[Listener]) -> list[Bound]:
    """A socket for each of the listeners. Raises OSError that names the address; then none is held."""
    with contextlib.ExitStack() as held:
        bound = [_held(bind(setting), held) for setting in settings]
        held.pop_all()
        return bound


def _held(bound: Bound, until: contextlib.ExitStack) -> Bound:
    until.callback(bound.release)
    return bound


def bind(setting: Listener) -> Bound:
    """Raises OSError that names the address."""
    try:
        if isinstance(setting.address, UnixAddress):
            return _unix(setting.address.path, int(setting.mode, 8))
        return _tcp(setting.address)
    except socket.gaierror as error:  # its numbers are none of `errno`
        raise socket.gaierror(error.errno, f"{error.strerror}: {setting.address}") from error
    except OSError as error:
        raise OSError(error.errno, f"{os.strerror(error.errno or 0)}: {setting.address}") from error


def _tcp(address: Address) -> Bound:
    sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    host, port = sock.getsockname()[:2]
    return Bound(sock, str(Address(host, port)))


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
        Path(path).chmod(mode)
    except OSError:
        sock.close()
        raise
    return Bound(sock, f"unix:{path}", file)


def _remove_stale(path: str) -> None:
    """What a gateway that was killed has left behind. Raises OSError EADDRINUSE when somebody listens there, or it is no socket."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # who is too busy to accept listens all the same
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, "somebody listens there")


def _inode(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
