"""PEM files for TLS, read by OpenSSL, with errors that say what is wrong with them."""

import ssl
from pathlib import Path

from gateway.net.certificates import Certificate, from_pem


class PairError(OSError):
    """Files that cannot be used.

    The text does not repeat their names or contents; `about_key` says which of the two it is.
    """

    def __init__(self, text: str, about_key: bool = False) -> None:
        super().__init__(text)
        self.about_key = about_key


def load_pair(context: ssl.SSLContext, certificate: str, private_key: str | None) -> Certificate:
    """`load_chain`, and what the certificate says. Raises PairError, after which the context is of no use any more."""
    load_chain(context, certificate, private_key)
    try:
        return from_pem(Path(certificate).read_bytes())
    except (OSError, ValueError) as error:
        raise PairError(str(error)) from None


def load_chain(context: ssl.SSLContext, certificate: str, private_key: str | None) -> None:
    """Give `context` a certificate and its key. Raises PairError, after which the context is of no use any more."""
    try:
        context.load_cert_chain(certificate, private_key, _password)
    except PairError:
        raise
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise PairError("this is not the private key of the certificate", about_key=True) from None
        raise PairError(f"this is not a certificate with its private key in PEM form ({error.reason or 'not PEM'})") from None
    except OSError as error:
        raise PairError(f"it cannot be read: {error.strerror}") from None


def load_authorities(context: ssl.SSLContext, file: str) -> None:
    """Let `context` believe the authorities in `file`, and no others. Raises PairError."""
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise PairError(f"there is no certificate in PEM form in it ({error.reason or 'not PEM'})") from None
    except OSError as error:
        raise PairError(f"it cannot be read: {error.strerror}") from None


def _password() -> str:
    raise PairError("the private key is encrypted; nobody is there to ask for its password", about_key=True)
