"""The TLS settings for upstreams: which certificates are accepted, and which one the gateway presents."""

import ssl
from pathlib import Path

import msgspec

from gateway.net.pem import PairError, load_authorities, load_chain


class TlsFiles(msgspec.Struct, frozen=True):
    """The files and options for https to an upstream.

    `ca` is a PEM file of the only trusted authorities, None for those of the system. `certificate` and `private_key`
    are PEM files for an upstream that requires a client certificate; the key may be in the same file as the
    certificate. Without `verify` every certificate is accepted.
    """

    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    verify: bool = True


def ssl_context(tls: TlsFiles) -> ssl.SSLContext:
    """Make a context, for which the files are read once. Raises PairError, which names the file that cannot be used."""
    try:
        if tls.ca is not None:
            # Load it into a context that is not used, for its error messages.
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
            raise PairError(f"{about}: {error}", about_key=error.about_key) from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def ended_cleanly(peer: ssl.SSLObject) -> bool:
    """Return whether the peer sent close_notify, once the end of the connection was received.

    An end without close_notify may be an attack (RFC 8446 6.1). uvloop reports clean ends only, asyncio reports both.
    """
    try:
        return peer.read(1) == b""
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False
