"""The certificates that a listener shows, chosen by the name that the client asks for, and read again when they change."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.net.certificates import Certificate, from_der
from gateway.net.pem import PairError, load_authorities, load_pair

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: authenticated encryption with forward secrecy only. Those of 1.3 are all like that."""


class Pair(msgspec.Struct, frozen=True):
    """PEM files. The key may be in the same file as the certificate."""

    certificate: str
    private_key: str | None = None


class Terms(msgspec.Struct, frozen=True):
    """What is asked of clients. `client_ca` is a PEM file, None asks for no certificate."""

    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    client_ca: str | None = None
    client_required: bool = True


class Watcher(Protocol):
    """Is told of certificates, by the path of their file."""

    def certificate_read(self, path: str, certificate: Certificate) -> None: ...
    def certificate_refused(self, path: str, why: str) -> None: ...


class _Shown(msgspec.Struct, frozen=True):
    context: ssl.SSLContext
    names: tuple[str, ...]


class Certificates:
    """`context` is for the next connection. Every change makes new contexts, so that handshakes under way are not disturbed.

    The constructor raises PairError when a file is not what it should be; `refresh` keeps what was in force.
    """

    def __init__(self, pairs: Sequence[Pair], terms: Terms, watcher: Watcher) -> None:
        self._pairs = pairs
        self._terms = terms
        self._watcher = watcher
        self._stamps: list[object] = [None] * len(pairs)
        self._shown: list[_Shown] = []
        self._by_name: dict[str, ssl.SSLContext] = {}
        for index, pair in enumerate(pairs):
            self._stamps[index] = self._stamp(pair)
            try:
                self._shown.append(self._read(pair))
            except PairError as error:
                raise PairError(f"{pair.certificate}: {error}", about_key=error.about_key) from error
        self._arrange()

    def __repr__(self) -> str:
        return f"<Certificates {' '.join(sorted(self._by_name))}>"

    @property
    def context(self) -> ssl.SSLContext:
        return self._shown[0].context

    def refresh(self) -> None:
        """Look whether files have changed, and read those again that have."""
        changed = False
        for index, pair in enumerate(self._pairs):
            # Taken before the files are read: what changes meanwhile is seen the next time.
            stamp = self._stamp(pair)
            if stamp == self._stamps[index]:
                continue
            self._stamps[index] = stamp
            try:
                self._shown[index] = self._read(pair)
                changed = True
            except PairError as error:
                self._watcher.certificate_refused(pair.certificate, str(error))
        if changed:
            self._arrange()

    def _stamp(self, pair: Pair) -> object:
        """Differs when one of the files is another, or has been written to. Links are followed: ConfigMaps are swapped by link."""
        return [_stamp_of(path) for path in (pair.certificate, pair.private_key, self._terms.client_ca) if path is not None]

    def _read(self, pair: Pair) -> _Shown:
        terms = self._terms
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = terms.minimum
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = self._choose
        if terms.client_ca is not None:
            load_authorities(context, terms.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED if terms.client_required else ssl.CERT_OPTIONAL
        certificate = load_pair(context, pair.certificate, pair.private_key)
        self._watcher.certificate_read(pair.certificate, certificate)
        return _Shown(context, certificate.names)

    def _arrange(self) -> None:
        by_name: dict[str, ssl.SSLContext] = {}
        for shown in self._shown:
            for name in shown.names:
                by_name.setdefault(name, shown.context)
        self._by_name = by_name

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """RFC 6066 3. A name that no certificate is for gets the first one: the client judges."""
        if name is None:
            return
        name = name.lower()
        found = self._by_name.get(name) or self._by_name.get(f"*.{name.partition('.')[2]}")
        if found is not None and found is not context:
            connection.context = found


def verified_subject(connection: ssl.SSLObject) -> str:
    """RFC 4514 text of who the client has proved to be, "" when it has shown no certificate: OpenSSL lets no other pass."""
    der = connection.getpeercert(binary_form=True)
    return "" if der is None else from_der(der).subject


def _stamp_of(path: str) -> object:
    try:
        found = Path(path).stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_dev
