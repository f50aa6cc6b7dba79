"""Settings of a listener become what is asked of its connections."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from gateway.edge.from_settings import handshake_options, head_checker
from gateway.edge.handshake import HandshakeOptions
from gateway.edge.listener_events import ListenerEvents
from gateway.kernel.ids import Ids
from gateway.observe.metrics import Metrics
from gateway.settings.schema.server import ListenerSettings
from tests.authority import Authority


def made(**settings: Any) -> HandshakeOptions | None:
    return handshake_options(
        ListenerSettings.model_validate(settings), ListenerEvents(Metrics(), "public", lambda: 0.0)
    )


def test_plain_http_asks_for_nothing() -> None:
    assert made() is None


def test_a_proxy_has_the_time_of_a_head() -> None:
    asked = made(proxy_protocol=True, trusted_proxies=["10.0.0.0/8"], limits={"header_timeout": "3s"})
    assert asked is not None
    assert (asked.proxy_protocol, asked.proxy_timeout_s, asked.certificates) == (True, 3.0, None)


@pytest.mark.parametrize(
    ("more", "version", "verify"),
    [
        ({}, ssl.TLSVersion.TLSv1_2, ssl.CERT_NONE),
        ({"min_version": "1.3", "client_ca": "ca.pem"}, ssl.TLSVersion.TLSv1_3, ssl.CERT_REQUIRED),
        ({"client_ca": "ca.pem", "client_auth": "optional"}, ssl.TLSVersion.TLSv1_2, ssl.CERT_OPTIONAL),
    ],
)
def test_tls_is_as_strict_as_configured(
    tmp_path: Path, more: dict[str, str], version: ssl.TLSVersion, verify: ssl.VerifyMode
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.write("a", "a.example")
    tls = {"certificates": [{"certificate": certificate, "private_key": key}], "handshake_timeout": "5s", **more}
    if "client_ca" in more:
        tls["client_ca"] = str(authority.ca)
    asked = made(tls=tls)
    assert asked is not None
    assert asked.certificates is not None
    assert (asked.handshake_timeout_s, asked.proxy_protocol) == (5.0, False)
    context = asked.certificates.context
    assert (context.minimum_version, context.verify_mode) == (version, verify)


def test_a_range_of_mapped_addresses_is_one_of_ipv4() -> None:
    way_in = head_checker(
        ListenerSettings.model_validate({"trusted_proxies": ["::ffff:10.0.0.0/104"]}), Ids(bytes), lambda: 0.0, 7
    )
    assert [way_in.trusts(address) for address in ("10.1.2.3", "11.1.2.3")] == [True, False]


def test_networks_and_unix_sockets_are_trusted_alike() -> None:
    way_in = head_checker(
        ListenerSettings.model_validate({"trusted_proxies": ["unix", "10.0.0.0/8"]}), Ids(bytes), lambda: 0.0, 7
    )
    assert way_in.limits.connections == 7
    assert [way_in.trusts(address) for address in ("10.1.2.3", "11.1.2.3", "unix")] == [True, False, True]
