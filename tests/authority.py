"""An authority of the test's own, and the files that it writes."""

import ssl
import subprocess
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate


class Authority:
    """Signs for whoever asks. `ca` is its own certificate as a file."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca)

    def write(self, name: str, *identities: str, common_name: str | None = None) -> tuple[str, str]:
        """A new certificate and key for `identities` as `name`.crt and `name`.key, renamed into place; their paths."""
        issued = self._ca.issue_cert(*identities, common_name=common_name)
        for suffix, pem in ((".key", issued.private_key_pem.bytes()), (".crt", issued.cert_chain_pems[0].bytes())):
            new = self._folder / f"{name}{suffix}.new"
            new.write_bytes(pem)
            new.rename(self._folder / f"{name}{suffix}")
        return str(self._folder / f"{name}.crt"), str(self._folder / f"{name}.key")

    def spoil(self, name: str) -> None:
        """Leave no certificate in the file of `name`, as somebody does who writes it in place and is interrupted."""
        (self._folder / f"{name}.crt").write_text("half a certificate")

    def subject(self, name: str) -> str:
        """Of the certificate `name`, as its configuration has it."""
        command = ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", f"{self._folder}/{name}.crt"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return printed.removeprefix("subject=").strip()

    def client(self, *pair: str, alpn: tuple[str, ...] = ("h2", "http/1.1")) -> ssl.SSLContext:
        """A client that believes this authority, and shows `pair` if it is given."""
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(list(alpn))
        if pair:
            context.load_cert_chain(*pair)
        return context


def serial_number(pem: bytes | str) -> int:
    """Tells certificates for the same names apart."""
    return load_pem_x509_certificate(pem if isinstance(pem, bytes) else Path(pem).read_bytes()).serial_number


def encrypted(key: str) -> bytes:
    """The same private key behind a password, as PEM."""
    loaded = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    how = serialization.BestAvailableEncryption(b"secret")
    return loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
