"""A listener's settings become the parts that serve it."""

import math
import ssl
from collections.abc import Callable

from gateway.edge.door import Door, Limits
from gateway.edge.doorbook import Doorbook
from gateway.edge.porch import Threshold
from gateway.edge.tls import Certificates, Pair, Terms
from gateway.kernel.ids import Ids
from gateway.kernel.node_names import unmapped_network
from gateway.settings.schema.addresses import UNIX
from gateway.settings.schema.server import Listener, ListenerTls

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def door(setting: Listener, ids: Ids, monotonic: Callable[[], float], connections: int) -> Door:
    """What lets requests in, on as many `connections` at once. `monotonic` reads seconds."""
    limits = setting.limits
    sizes, times = (limits.header_bytes, limits.url_bytes, limits.body), (limits.header_timeout, limits.body_timeout, limits.idle_timeout)
    return Door(
        Limits(*sizes, *times, connections),
        [unmapped_network(each) for each in setting.trusted_proxies if not isinstance(each, str)],
        ids,
        monotonic,
        UNIX in setting.trusted_proxies,
    )


def threshold(setting: Listener, doorbook: Doorbook) -> Threshold | None:
    """What comes before HTTP, None for nothing. Reads certificates: raises PairError."""
    tls = setting.tls
    if tls is None and not setting.proxy_protocol:
        return None
    return Threshold(
        doorbook,
        None if tls is None else _certificates(tls, doorbook),
        math.inf if tls is None else tls.handshake_timeout,
        setting.proxy_protocol,
        setting.limits.header_timeout,
    )


def _certificates(tls: ListenerTls, doorbook: Doorbook) -> Certificates:
    pairs = [Pair(pair.certificate, pair.private_key) for pair in tls.certificates]
    return Certificates(pairs, Terms(_VERSIONS[tls.min_version], tls.client_ca, tls.client_auth == "required"), doorbook)
