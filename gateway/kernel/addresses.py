"""Rules about where requests may come from: addresses of clients, and pages in browsers."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec

from gateway.kernel.http.cors import OriginPattern

Network: TypeAlias = IPv4Network | IPv6Network


class AddressRules(msgspec.Struct, frozen=True):
    """Addresses that may come, all when `allow` is empty, and of these the ones that may not."""

    allow: tuple[Network, ...]
    deny: tuple[Network, ...]

    def permits(self, address: str) -> bool:
        """Whether a client at `address` may come. One without an IP address may only where nobody is listed."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return not self.allow
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        if any(parsed in network for network in self.deny):
            return False
        return not self.allow or any(parsed in network for network in self.allow)


def address_rules(allow: tuple[Network, ...], deny: tuple[Network, ...]) -> AddressRules | None:
    """Return the rules, None when everybody may come."""
    return AddressRules(allow, deny) if allow or deny else None


class Referrers(msgspec.Struct, frozen=True):
    """The pages whose requests a key is for. A request names its page in Origin, or else in Referer."""

    origins: frozenset[str]
    patterns: tuple[OriginPattern, ...]

    def permits(self, origin: str | None, referer: str | None) -> bool:
        """Whether a request with these fields comes from one of the pages. One without them does not."""
        page = _origin_of(referer) if origin is None and referer is not None else origin
        return page is not None and (page in self.origins or any(each.fits(page) for each in self.patterns))


def referrers(origins: tuple[str, ...]) -> Referrers | None:
    """Return the pages of `origins`, each of which is an origin of the configuration; None for no restriction."""
    if not origins:
        return None
    starred = [origin.partition("*") for origin in origins if "*." in origin]
    return Referrers(
        frozenset(origin for origin in origins if "*" not in origin),
        tuple(OriginPattern(begins, ends) for begins, _, ends in starred),
    )


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc.lower()}" if parts.netloc else None


class Binding(msgspec.Struct, frozen=True):
    """What a key is bound to beside its secret; None for each that it is not bound to."""

    addresses: AddressRules | None
    referrers: Referrers | None
