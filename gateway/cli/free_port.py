"""Finds a free port."""

import errno
import socket

_TRIED = 100


def free_ports(host: str, wanted: int) -> dict[str, int]:
    """Return the `port` for a listener at `host`, and another one, the `admin_port`, for the admin listener.

    Raises OSError as `free_port` does.
    """
    port = free_port(host, wanted)
    return {"port": port, "admin_port": free_port("127.0.0.1", 9901, but=port)}


def free_port(host: str, wanted: int, but: int = 0) -> int:
    """Return `wanted`, or the next port above it on which this process could listen; any port if `wanted` is 0.

    Never `but`, on which it is about to listen.
    Raises OSError when none of the next hundred ports is free, or when the address is not one of this machine.
    """
    family, _, _, _, address = socket.getaddrinfo(host, wanted, type=socket.SOCK_STREAM)[0]
    for port in range(wanted, min(wanted + _TRIED, 65536)):
        if port == but != 0:
            continue
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As the listener does: a port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address[0], port))
                probe.listen(1)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return int(probe.getsockname()[1])
    raise OSError(errno.EADDRINUSE, f"no port is free from {wanted} to {wanted + _TRIED - 1}")
