"""Where to listen, which peers to trust, and who a certificate is for: values that say who is at the other end."""

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

from gateway.settings.schema.values import Address, RefusedError, address, network, text_of

UNIX: Final = "unix"
"""Stands for the address of whoever comes through a unix socket: there is no other."""
_MOST_PATH_BYTES = 107
"""sockaddr_un holds 108 bytes, the last of which is 0: unix(7)."""

SERVER_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_-]{1,63})*\.?$"
"""RFC 1035 2.3.4. With other labels `ssl` raises UnicodeError for each connection."""
_LONGEST_NAME = 253


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


def subject(value: object) -> str:
    text = text_of(value, "the subject of a certificate such as `CN=billing,O=ACME`")
    if not text.isascii() or not text.isprintable() or not re.match(r"[A-Za-z0-9.]+=", text) or re.search(r"(?<!\\), ", text):
        raise RefusedError(
            f"`{text}` is not the subject of a certificate (RFC 4514)", "`openssl x509 -noout -subject -nameopt RFC2253` prints it"
        )
    return text


def server_name(value: object) -> str:
    text = text_of(value, "a host name")
    if not re.fullmatch(SERVER_NAME_PATTERN, text) or len(text) > _LONGEST_NAME:
        raise RefusedError(f"`{text}` is not a host name", "its parts have 1 to 63 letters, digits and hyphens, with a dot between them")
    return text
