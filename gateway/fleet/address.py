"""Under which address other gateways reach the admin listener of this one.

Records hold IP addresses: whoever asks needs no name server, and the admin listener takes an IP address in Host.
"""

import asyncio
import socket

from gateway.net.address import Address, is_unspecified


async def reachable(host: str, port: int, towards: tuple[str, int] | None) -> str:
    """Return `address:port` for the listener or the name `host`; "" when there is none that is known.

    For the address of all interfaces it is the address from which this machine speaks to `towards`, the host and the
    port of Redis: other gateways speak to the same Redis. None for a Redis on a unix socket.
    """
    try:
        if not is_unspecified(host):
            return str(Address(await _resolved(host, port), port))
        if towards is None:
            return ""
        family = socket.AF_INET if ":" not in host else socket.AF_UNSPEC
        return str(Address(await _source(*towards, family), port))
    except OSError:
        return ""


async def _resolved(host: str, port: int) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return str(found[0][4][0])


async def _source(host: str, port: int, family: int) -> str:
    """Return the address of this machine on the way to `host`. Sends nothing."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, family=family)
    with socket.socket(found[0][0], socket.SOCK_DGRAM) as sock:
        sock.connect(found[0][4])
        return str(sock.getsockname()[0])
