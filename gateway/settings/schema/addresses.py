"""Where to listen, and which peers to trust: what is accepted there beside TCP."""

from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

from gateway.settings.schema.values import Address, RefusedError, address, network

UNIX: Final = "unix"
"""Stands for the address of whoever comes through a unix socket: there is no other."""
_MOST_PATH_BYTES = 107
"""sockaddr_un holds 108 bytes, the last of which is 0: unix(7)."""


class UnixAddress(NamedTuple):
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


def listen_address(value: object) -> Address | UnixAddress:
    if not isinstance(value, str) or not value.startswith("unix:"):
        return address(value)
    path = value.removeprefix("unix:")
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise RefusedError("the path of a unix socket begins with `/`", "write one such as `unix:/run/gateway/gateway.sock`")
    if len(path.encode()) > _MOST_PATH_BYTES:
        raise RefusedError(f"the path of a unix socket has at most {_MOST_PATH_BYTES} bytes")
    return UnixAddress(path)


def trusted_proxy(value: object) -> IPv4Network | IPv6Network | str:
    return UNIX if value == UNIX else network(value)
