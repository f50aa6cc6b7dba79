"""What the gateway demands of an upstream's certificate, and the one it shows itself."""

import ssl
from pathlib import Path

import msgspec

from gateway.net.pem import PairError, load_authorities, load_chain


class TLS(msgspec.Struct, frozen=True):
    """How to speak https to an upstream.

    `ca` is a PEM file of the only authorities believed, None for the system's. `certificate` and `private_key` are PEM
    files for an upstream that asks who calls; the key may be in the same file as the certificate. Without `verify`
    anybody is believed.
    """

    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    verify: bool = True


def ssl_context(tls: TLS) -> ssl.SSLContext:
    """Reads the files once. Raises PairError, which names the one that is not what it should be."""
    try:
        if tls.ca is not None:
            # On a context that is thrown away, for its errors
            load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), str(tls.ca))
        context = ssl.create_default_context(cafile=tls.ca)
    except PairError as error:
        raise PairError(f"{tls.ca}: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if tls.certificate is not None:
        try:
            load_chain(context, str(tls.certificate), None if tls.private_key is None else str(tls.private_key))
        except PairError as error:
            about = tls.private_key if error.about_key and tls.private_key is not None else tls.certificate
            raise PairError(f"{about}: {error}", error.about_key) from None
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
