"""Addresses as a configuration spells them, split into their parts."""

from ipaddress import ip_address
from typing import Final, NamedTuple

from gateway.kernel.host_port import host_port

UNIX: Final = "unix"
"""The peer address of every client of a unix socket, which has no address of its own."""


class Address(NamedTuple):
    """A TCP address to listen on. With port 0 the system chooses the port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


class TargetUrl(NamedTuple):
    """The URL of an upstream's target. `path` is "" or begins with a slash and does not end in one."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.label}"

    @property
    def label(self) -> str:
        """Host, port and path: the name of the target in logs and metrics."""
        return f"{host_port(self.host, self.port)}{self.path}"


class UnixAddress(NamedTuple):
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


def is_ip_address(host: str) -> bool:
    """Return whether `host` is an address, without a zone, and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def is_unspecified(host: str) -> bool:
    """Return whether `host` is the address of all interfaces, to which nobody can connect."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Return whether `host`, an IP address, is that of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
