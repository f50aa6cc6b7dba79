"""What the gateway demands of an upstream's certificate, and the one it shows itself."""

import ssl
from pathlib import Path

import msgspec


class TLS(msgspec.Struct, frozen=True):
    """How to speak https to an upstream.

    `ca` is a PEM file of the only authorities believed, None for the system's. `certificate` and `private_key` are PEM
    files for an upstream that asks who calls; the key may be in the same file as the certificate. `server_name` is
    what the certificate must be for, None for the host of the URL. Without `verify` anybody is believed.
    """

    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    server_name: str | None = None
    verify: bool = True


def ssl_context(tls: TLS) -> ssl.SSLContext:
    """Reads the files once. Raises OSError, or ssl.SSLError (an OSError too) when one of them is not what it should be."""
    context = ssl.create_default_context(cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.private_key)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def ended_cleanly(peer: ssl.SSLObject) -> bool:
    """Whether the peer said that it was done, when the end of the connection has been seen.

    An end without close_notify may be an attacker's (RFC 8446 6.1). uvloop reports only clean ends; asyncio both.
    """
    try:
        return peer.read(1) == b""
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False
