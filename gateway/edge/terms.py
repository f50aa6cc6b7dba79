"""A listener's settings become the parts that serve it."""

import ssl
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network

from gateway.edge.listener import Security
from gateway.edge.tally import Tally
from gateway.edge.tls import Certificates, Pair, Terms
from gateway.observe.metrics import Metrics
from gateway.settings.schema.server import Listener

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def networks(setting: Listener) -> list[IPv4Network | IPv6Network]:
    """The address ranges of its trusted proxies."""
    return [each for each in setting.trusted_proxies if not isinstance(each, str)]


def security(setting: Listener, metrics: Metrics, wall: Callable[[], float]) -> Security | None:
    """TLS as the settings want it, None for none. Reads the files: raises PairError. `wall` reads Unix time in seconds."""
    tls = setting.tls
    if tls is None:
        return None
    tally = Tally(metrics, setting.id, wall)
    pairs = [Pair(pair.certificate, pair.private_key) for pair in tls.certificates]
    terms = Terms(_VERSIONS[tls.min_version], tls.client_ca, tls.client_auth == "required")
    return Security(Certificates(pairs, terms, tally), tls.handshake_timeout, tally)
