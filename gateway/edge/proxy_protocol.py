"""Reads the header with which a proxy names the client of a connection: PROXY protocol, versions 1 and 2.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

from ipaddress import IPv4Address, IPv6Address

MOST_BYTES = 4096
"""The longest header.

One of version 1 has at most 107 bytes; one of version 2 may have more fields, which are ignored.
"""
_MOST_LINE_BYTES = 107
_LINE = b"PROXY "
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED_BYTES = 16
_MOST_PORT = 65535
_LOCAL, _PROXIED = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_WITHOUT_ADDRESS = (0x00, 0x31)
"""Unspecified, and a unix socket."""


class ProxyHeaderError(Exception):
    """The bytes are not a valid header."""


def size(begin: bytes) -> int | None:
    """Return the size in bytes of the header that starts with `begin`, or None when more bytes are needed to know it.

    Raises ProxyHeaderError.
    """
    if begin[:1] == _LINE[:1]:
        end = begin.find(b"\r\n") + 2
        if not _LINE.startswith(begin[: len(_LINE)]) or (len(begin) if end < 2 else end) > _MOST_LINE_BYTES:
            raise ProxyHeaderError
        return None if end < 2 else end
    if not _SIGNATURE.startswith(begin[: len(_SIGNATURE)]):
        raise ProxyHeaderError
    if len(begin) < _FIXED_BYTES:
        return None
    whole = _FIXED_BYTES + int.from_bytes(begin[14:16])
    if whole > MOST_BYTES:
        raise ProxyHeaderError
    return whole


def client_address(header: bytes) -> str | None:
    """Return the address of the client, or None when the header has none. Raises ProxyHeaderError."""
    try:
        address = _from_line(header.decode("ascii")) if header.startswith(_LINE) else _from_bytes(header)
    except ValueError as wrong:
        raise ProxyHeaderError from wrong
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return None if address is None else str(address)


def _from_line(line: str) -> IPv4Address | IPv6Address | None:
    if line.startswith("PROXY UNKNOWN") and line[13:14] in (" ", "\r"):
        return None
    _, family, source, destination, *ports = line.removesuffix("\r\n").split(" ")
    kind = IPv4Address if family == "TCP4" else IPv6Address
    if (
        family not in ("TCP4", "TCP6")
        or len(ports) != 2
        or not all(port.isdecimal() and int(port) <= _MOST_PORT for port in ports)
    ):
        raise ProxyHeaderError
    kind(destination)
    return kind(source)


def _from_bytes(header: bytes) -> IPv4Address | IPv6Address | None:
    command, family, addresses = header[12], header[13], header[_FIXED_BYTES:]
    if command == _LOCAL:
        return None
    if command != _PROXIED:
        raise ProxyHeaderError
    if family in _WITHOUT_ADDRESS:
        return None
    if family == _TCP4 and len(addresses) >= 12:
        return IPv4Address(addresses[:4])
    if family == _TCP6 and len(addresses) >= 36:
        return IPv6Address(addresses[:16])
    raise ProxyHeaderError
