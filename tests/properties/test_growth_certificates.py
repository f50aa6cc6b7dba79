"""Certificates of clients cost time linear in their size, and nothing but a ValueError comes out of them."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.net.certificates import from_der
from tests.growth import Work, check_growth
from tests.untrusted import BODY_BYTES

KEY = ec.generate_private_key(ec.SECP256R1())
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC)
OWN = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")
NAMES: dict[str, list[x509.RelativeDistinguishedName]] = {
    kind: [x509.RelativeDistinguishedName([x509.NameAttribute(oid, text)])]
    for kind, oid, text in (
        ("plain", NameOID.ORGANIZATION_NAME, "abcdef"),
        ("to be escaped", NameOID.ORGANIZATION_NAME, '"+,;<>'),
        ("not ASCII", NameOID.ORGANIZATION_NAME, "é\U0001f600"),
        ("of no known kind", OWN, "abcdef"),
    )
}


def issue(rdns: list[x509.RelativeDistinguishedName], names: list[x509.GeneralName]) -> bytes:
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name(rdns), KEY.public_key(), 5, FROM, UNTIL)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def reading(der: bytes) -> Work:
    return lambda: from_der(der)


@pytest.mark.parametrize("kind", NAMES)
def test_a_long_subject(kind: str) -> None:
    size_bytes = len(x509.Name(NAMES[kind]).public_bytes())
    check_growth(lambda size: reading(issue(NAMES[kind] * (size // size_bytes), [])), BODY_BYTES // 10)


def test_a_long_value() -> None:
    def long(size: int) -> Work:
        attribute = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "é" * (size // 2), _validate=False)
        return reading(issue([x509.RelativeDistinguishedName([attribute])], []))

    check_growth(long, BODY_BYTES // 10)


@pytest.mark.parametrize("name", [x509.DNSName("a.example"), x509.IPAddress(ip_address("::1")), x509.RFC822Name("a@b")])
def test_many_alternative_names(name: x509.GeneralName) -> None:
    check_growth(lambda size: reading(issue([], [name] * (size // 11))), BODY_BYTES // 10)
