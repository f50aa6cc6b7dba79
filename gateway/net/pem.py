"""Loads PEM files for TLS with OpenSSL, and explains what is wrong with them."""

import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.net.certificates import Certificate


def can_read_certificates() -> bool:
    """Return whether the extra `identities` is installed, without which `load_pair` cannot be used."""
    return find_spec("cryptography") is not None


class PairError(OSError):
    """The files cannot be used.

    The text contains neither names nor contents; `about_key` means that the private key is at fault.
    """

    def __init__(self, text: str, *, about_key: bool = False) -> None:
        super().__init__(text)
        self.about_key = about_key


def load_pair(context: ssl.SSLContext, certificate: str, private_key: str | None) -> "Certificate":
    """Do `load_chain`, and return what the certificate states.

    Raises PairError; the context must not be used after that.
    """
    from gateway.net.certificates import from_pem  # noqa: PLC0415 - needs the extra `identities`

    load_chain(context, certificate, private_key)
    try:
        return from_pem(Path(certificate).read_bytes())
    except (OSError, ValueError) as error:
        raise PairError(str(error)) from None


def load_chain(context: ssl.SSLContext, certificate: str, private_key: str | None) -> None:
    """Load a certificate and its key into `context`. Raises PairError; the context must not be used after that."""
    try:
        context.load_cert_chain(certificate, private_key, _password)
    except PairError:
        raise
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise PairError("this is not the private key of the certificate", about_key=True) from None
        raise PairError(
            f"this is not a certificate with its private key in PEM form ({error.reason or 'not PEM'})"
        ) from None
    except OSError as error:
        raise PairError(f"it cannot be read: {error.strerror}") from None


def load_authorities(context: ssl.SSLContext, file: str) -> None:
    """Make `context` trust the authorities in `file`. Raises PairError."""
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise PairError(f"there is no certificate in PEM form in it ({error.reason or 'not PEM'})") from None
    except OSError as error:
        raise PairError(f"it cannot be read: {error.strerror}") from None


def _password() -> str:
    raise PairError("the private key is encrypted; nobody is there to ask for its password", about_key=True)
