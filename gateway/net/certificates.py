"""Reads X.509 certificates (RFC 5280): their names, their subject, and how long they are valid.

It reads certificates that OpenSSL has accepted and verifies nothing. It needs the extra `identities`, so it is imported
only by functions that are called where TLS is configured.
"""

import warnings
from collections.abc import Callable

import msgspec
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

_KEYWORDS = {
    NameOID.COMMON_NAME: "CN",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.COUNTRY_NAME: "C",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.STREET_ADDRESS: "street",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.USER_ID: "UID",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "emailAddress",
}
"""The names of attributes as `openssl x509 -subject -nameopt RFC2253` spells them. Others are shown by their number."""
_ESCAPED = frozenset('"+,;<>\\')
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for malformed certificates."""


class Certificate(msgspec.Struct, frozen=True):
    """`names` are DNS names in lower case (`*.example.com` too) and IP addresses; `subject` is RFC 4514 text in ASCII.

    `not_before` and `not_after` are Unix time in seconds.
    """

    names: tuple[str, ...]
    subject: str
    not_before: float
    not_after: float


def from_pem(pem: bytes) -> Certificate:
    """Return the first certificate of a PEM file. Raises ValueError if there is none, or if it cannot be read."""
    try:
        return _read(x509.load_pem_x509_certificate, pem)
    except _UNREADABLE as error:
        raise ValueError("there is no certificate in PEM form, or it is malformed") from error


def from_der(der: bytes) -> Certificate:
    """Return the certificate. Raises ValueError if it cannot be read."""
    try:
        return _read(x509.load_der_x509_certificate, der)
    except _UNREADABLE as error:
        raise ValueError("the certificate is malformed") from error


def _read(load: Callable[[bytes], x509.Certificate], data: bytes) -> Certificate:
    with warnings.catch_warnings():
        # What a later release of the library will refuse is read for now, and no client fills the log with it.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return _certificate(load(data))


def _certificate(read: x509.Certificate) -> Certificate:
    names = _alternative_names(read)
    if not names:
        names = [str(each.value).lower() for each in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    subject = ",".join([_rdn(rdn) for rdn in reversed(read.subject.rdns)])
    not_before, not_after = read.not_valid_before_utc.timestamp(), read.not_valid_after_utc.timestamp()
    return Certificate(tuple(names), subject, not_before, not_after)


def _alternative_names(read: x509.Certificate) -> list[str]:
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value).lower() for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]


def _rdn(rdn: x509.RelativeDistinguishedName) -> str:
    """Return RFC 4514 text (2.2 to 2.4). What is not ASCII is written as its UTF-8 bytes, so it fits a header field."""
    parts = []
    for attribute in reversed(list(rdn)):
        keyword, value = _KEYWORDS.get(attribute.oid), attribute.value
        if keyword is None or not isinstance(value, str):
            parts.append(f"{keyword or attribute.oid.dotted_string}=#{_encoded(attribute).hex().upper()}")
        else:
            parts.append(f"{keyword}={_escaped(value)}")
    return "+".join(parts)


def _encoded(attribute: "x509.NameAttribute[str | bytes]") -> bytes:
    """Return the DER encoding of the value, which is what follows the type in the only attribute of a name."""
    der = x509.Name([attribute]).public_bytes()
    at = 0
    for _ in range(3):  # the headers of the name, of its only RDN and of the attribute
        at += 2 + (der[at + 1] & 0x7F if der[at + 1] > 0x7F else 0)
    return der[at + 2 + der[at + 1] :]


def _escaped(text: str) -> str:
    last = len(text) - 1
    return "".join(
        f"\\{char}"
        if char in _ESCAPED or (char == " " and at in (0, last)) or (char == "#" and at == 0)
        else char
        if " " <= char <= "~"
        else "".join(f"\\{byte:02X}" for byte in char.encode())
        for at, char in enumerate(text)
    )
