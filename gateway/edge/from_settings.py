"""Makes the parts of a listener from its settings."""

import math
import ssl
from collections.abc import Callable

from gateway.edge.certificates import CertificateFiles, Certificates, TlsRequirements
from gateway.edge.handshake import HandshakeOptions
from gateway.edge.listener_events import ListenerEvents
from gateway.edge.request_head import HeadLimits, RequestHeadChecker
from gateway.kernel.ids import Ids
from gateway.net.address import UNIX
from gateway.net.node_names import unmapped_network
from gateway.settings.schema.server import ListenerSettings, ListenerTls

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def head_checker(
    setting: ListenerSettings, ids: Ids, monotonic: Callable[[], float], connections: int
) -> RequestHeadChecker:
    """Return the checker of request heads. `connections` is the limit of clients. `monotonic` reads seconds."""
    limits = setting.limits
    sizes, times = (
        (limits.header_bytes, limits.url_bytes, limits.body),
        (limits.header_timeout, limits.body_timeout, limits.idle_timeout),
    )
    return RequestHeadChecker(
        HeadLimits(*sizes, *times, connections),
        [unmapped_network(each) for each in setting.trusted_proxies if not isinstance(each, str)],
        ids,
        monotonic,
        UNIX in setting.trusted_proxies,
    )


def handshake_options(setting: ListenerSettings, listener_events: ListenerEvents) -> HandshakeOptions | None:
    """Return what comes before HTTP, or None for nothing. Reads the certificates, and raises PairError."""
    tls = setting.tls
    if tls is None and not setting.proxy_protocol:
        return None
    return HandshakeOptions(
        listener_events,
        None if tls is None else _certificates(tls, listener_events),
        math.inf if tls is None else tls.handshake_timeout,
        setting.proxy_protocol,
        setting.limits.header_timeout,
    )


def _certificates(tls: ListenerTls, listener_events: ListenerEvents) -> Certificates:
    pairs = [CertificateFiles(pair.certificate, pair.private_key) for pair in tls.certificates]
    return Certificates(
        pairs,
        TlsRequirements(_VERSIONS[tls.min_version], tls.client_ca, tls.client_auth == "required"),
        listener_events,
    )
