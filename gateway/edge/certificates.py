"""The certificates of a listener, chosen by the name that the client asks for and read again when files change."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from gateway.net.pem import PairError, load_authorities, load_pair

if TYPE_CHECKING:
    from gateway.net.certificates import Certificate

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""The ciphers for TLS 1.2: only authenticated encryption with forward secrecy. All ciphers of TLS 1.3 have both."""


class CertificateFiles(msgspec.Struct, frozen=True):
    """Paths of PEM files. Without `private_key` the key is in the file of the certificate."""

    certificate: str
    private_key: str | None = None


class TlsRequirements(msgspec.Struct, frozen=True):
    """What clients have to fulfil. `client_ca` is the path of a PEM file; None asks for no client certificate."""

    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    client_ca: str | None = None
    client_required: bool = True


class CertificateEvents(Protocol):
    """Receives what happens to certificates, by the path of their file."""

    def certificate_read(self, path: str, certificate: "Certificate") -> None: ...
    def certificate_rejected(self, path: str, why: str) -> None: ...


class _Loaded(msgspec.Struct, frozen=True):
    context: ssl.SSLContext
    names: tuple[str, ...]


class Certificates:
    """Holds the TLS contexts. A change makes new ones, so that handshakes under way are not disturbed.

    The constructor raises PairError when a file cannot be used. `refresh` keeps the previous certificate then.
    """

    def __init__(
        self, pairs: Sequence[CertificateFiles], requirements: TlsRequirements, events: CertificateEvents
    ) -> None:
        self._pairs = pairs
        self._requirements = requirements
        self._events = events
        self._versions: list[object] = [None] * len(pairs)
        self._loaded: list[_Loaded] = []
        self._by_name: dict[str, ssl.SSLContext] = {}
        for index, pair in enumerate(pairs):
            self._versions[index] = self._version(pair)
            try:
                self._loaded.append(self._read(pair))
            except PairError as error:
                raise PairError(f"{pair.certificate}: {error}", about_key=error.about_key) from error
        self._index_names()

    def __repr__(self) -> str:
        return f"<Certificates {' '.join(sorted(self._by_name))}>"

    @property
    def context(self) -> ssl.SSLContext:
        """The context for the next connection."""
        return self._loaded[0].context

    def refresh(self) -> None:
        """Read the files again that have changed."""
        changed = False
        for index, pair in enumerate(self._pairs):
            # Determined before the files are read, so that a change meanwhile is found the next time.
            version = self._version(pair)
            if version == self._versions[index]:
                continue
            self._versions[index] = version
            try:
                self._loaded[index] = self._read(pair)
                changed = True
            except PairError as error:
                self._events.certificate_rejected(pair.certificate, str(error))
        if changed:
            self._index_names()

    def _version(self, pair: CertificateFiles) -> object:
        """Return a value that changes with each of the files.

        Links are followed, because ConfigMaps are replaced by a link.
        """
        return [
            _version_of(path)
            for path in (pair.certificate, pair.private_key, self._requirements.client_ca)
            if path is not None
        ]

    def _read(self, pair: CertificateFiles) -> _Loaded:
        requirements = self._requirements
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = requirements.minimum
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = self._choose
        if requirements.client_ca is not None:
            load_authorities(context, requirements.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED if requirements.client_required else ssl.CERT_OPTIONAL
        certificate = load_pair(context, pair.certificate, pair.private_key)
        self._events.certificate_read(pair.certificate, certificate)
        return _Loaded(context, certificate.names)

    def _index_names(self) -> None:
        by_name: dict[str, ssl.SSLContext] = {}
        for loaded in self._loaded:
            for name in loaded.names:
                by_name.setdefault(name, loaded.context)
        self._by_name = by_name

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Choose the context by server name (RFC 6066 3).

        For an unknown name it is the first one, and the client decides.
        """
        if name is None:
            return
        name = name.lower()
        found = self._by_name.get(name) or self._by_name.get(f"*.{name.partition('.')[2]}")
        if found is not None and found is not context:
            connection.context = found


def verified_subject(connection: ssl.SSLObject) -> str:
    """Return the subject of the client's certificate as RFC 4514 text.

    It is "" without a certificate, and with one that OpenSSL has verified and that is malformed nevertheless.
    """
    der = connection.getpeercert(binary_form=True)
    if der is None:
        return ""
    from gateway.net.certificates import from_der  # noqa: PLC0415 - needs the extra `identities`

    try:
        return from_der(der).subject
    except ValueError:
        return ""


def _version_of(path: str) -> object:
    try:
        found = Path(path).stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_dev
