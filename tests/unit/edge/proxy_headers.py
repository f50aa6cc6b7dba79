"""Headers with which proxies name the client of a connection, and bytes that are none."""

import struct
from ipaddress import ip_address

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXIED = 0x20, 0x21
V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n"


def version_2(command: int, family: int, addresses: bytes, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses) if length is None else length) + addresses


def tcp(source: str, more: bytes = b"") -> bytes:
    packed = ip_address(source).packed
    return version_2(PROXIED, 0x11 if len(packed) == 4 else 0x21, packed * 2 + struct.pack("!HH", 1, 2) + more)


V2 = tcp("203.0.113.9", b"\x03\x00\x04\x01\x02\x03\x04")

TELLING = [
    (V1, "203.0.113.9"),
    (b"PROXY TCP6 2001:db8::9 2001:db8::1 56324 443\r\n", "2001:db8::9"),
    (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 0 65535\r\n", "203.0.113.9"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff whatever 65535 65535\r\n", None),
    (V2, "203.0.113.9"),
    (tcp("2001:db8::9"), "2001:db8::9"),
    (tcp("::ffff:203.0.113.9"), "203.0.113.9"),
    (version_2(LOCAL, 0x11, b"\x00" * 12), None),
    (version_2(LOCAL, 0x00, b""), None),
    (version_2(PROXIED, 0x00, b"abc"), None),
    (version_2(PROXIED, 0x31, b"\x00" * 216), None),
]

WRONG = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01",
    b"P\r\n",
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXY UNKNOWNS\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 56324\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443 1\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 65536\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 -1 443\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1  443\r\n",
    b"PROXY TCP4 2001:db8::9 192.0.2.1 1 443\r\n",
    b"PROXY TCP4 203.0.113.9 2001:db8::1 1 443\r\n",
    b"PROXY TCP6 203.0.113.9 192.0.2.1 1 443\r\n",
    b"PROXY UDP4 203.0.113.9 192.0.2.1 1 443\r\n",
    b"PROXY TCP4 \xff 192.0.2.1 1 443\r\n",
    b"PROXY UNKNOWN " + b"a" * 100 + b"\r\n",
    b"PROXY " + b"a" * 200,
    SIGNATURE[:-1] + b"!",
    version_2(0x11, 0x11, b"\x00" * 12),
    version_2(0x22, 0x11, b"\x00" * 12),
    version_2(PROXIED, 0x12, b"\x00" * 12),
    version_2(PROXIED, 0x11, b"\x00" * 11),
    version_2(PROXIED, 0x21, b"\x00" * 35),
    version_2(PROXIED, 0x11, b"", 60000),
]
