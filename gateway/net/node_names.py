"""Normalizes addresses as proxies and sockets write them.

Law: an IPv4 address has one spelling wherever it counts (limits, trust, the log, what services are told). A socket for
both versions of IP puts `::ffff:` before it, and some proxies put the port behind it.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address

MOST_HOPS = 32
"""Proxies that may stand behind one another: each element costs more than its bytes.

What is said to lie beyond is not believed.
"""
_WITH_PORT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}):\d*|\[([0-9A-Fa-f:.]+(?:%[^\]]*)?)\](?::\d*)?")
_MAPPED_NETWORK = IPv6Network("::ffff:0:0/96")


def unmapped(address: str) -> str:
    """Return `address` as its own version of IP spells it. What is no address stays as it is."""
    if not address.startswith("::"):
        return address
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if parsed.version == 6 else None
    return address if mapped is None else str(mapped)


def unmapped_network(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """Return `network` in the spelling of the addresses that `unmapped` gives."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED_NETWORK):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def without_port(element: str) -> str:
    """Return an element of X-Forwarded-For without white space, port, brackets and quotes (`1.2.3.4:5`, `[::1]:5`)."""
    element = element.strip().strip('"')
    parts = _WITH_PORT.fullmatch(element)
    return unmapped(element if parts is None else parts[1] or parts[2])


def chain(values: list[str]) -> list[str]:
    """Return the last `MOST_HOPS` elements of all X-Forwarded-For fields, the client first.

    Empty ones count for nothing (RFC 9110 5.6.1).
    """
    return [name for element in ",".join(values).rsplit(",", MOST_HOPS)[-MOST_HOPS:] if (name := without_port(element))]
