"""Addresses as a configuration spells them, taken apart."""

from typing import Final, NamedTuple

UNIX: Final = "unix"
"""Stands for the address of whoever comes through a unix socket: there is no other."""


class Address(NamedTuple):
    """Where to listen. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class TargetUrl(NamedTuple):
    """Where an upstream's target listens. `path` is "" or begins with a slash and does not end in one."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.label}"

    @property
    def label(self) -> str:
        """Host, port and path, as logs and metrics name the target."""
        return f"{Address(self.host, self.port)}{self.path}"


class UnixAddress(NamedTuple):
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"
