"""net/certificates.py: certificates are read as OpenSSL reads them."""

import ssl
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.net.certificates import Certificate, from_der, from_pem

KEY = ec.generate_private_key(ec.SECP256R1())
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
OWN_LINES = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")
JOINT = x509.ObjectIdentifier("2.999.3")

COMMON_NAME, UNIQUE_IDENTIFIER = b"\x06\x03\x55\x04\x03", b"\x06\x03\x55\x04\x2d"

Attribute = tuple[x509.ObjectIdentifier, str]


def issue(
    *rdns: tuple[Attribute, ...],
    names: tuple[x509.GeneralName, ...] = (),
    until: datetime = UNTIL,
    kind: _ASN1Type | None = None,
) -> bytes:
    """A self-signed certificate as DER."""
    name = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(oid, text, kind) for oid, text in attributes])
            for attributes in rdns
        ]
    )
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 5, FROM, until)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def openssl(der: bytes) -> str:
    """The subject as its command line prints it."""
    done = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253"],
        input=der,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().removeprefix("subject=").removesuffix("\n")


def test_names_and_times() -> None:
    names = (
        x509.DNSName("A.example"),
        x509.DNSName("*.b.example"),
        x509.IPAddress(ip_address("::1")),
        x509.IPAddress(ip_address("10.0.0.1")),
    )
    der = issue(((NameOID.COMMON_NAME, "c.example"),), names=(*names, x509.RFC822Name("a@b.example")))
    expected = Certificate(
        ("a.example", "*.b.example", "::1", "10.0.0.1"), "CN=c.example", FROM.timestamp(), UNTIL.timestamp()
    )
    assert from_der(der) == expected
    assert from_pem(b"Some words\n" + ssl.DER_cert_to_PEM_cert(der).encode() * 2) == expected


def test_without_alternative_names_the_common_name_counts() -> None:
    assert from_der(issue(((NameOID.COUNTRY_NAME, "DE"),), ((NameOID.COMMON_NAME, "C.example"),))).names == (
        "c.example",
    )
    assert from_der(issue(((NameOID.COUNTRY_NAME, "DE"),))).names == ()


def test_times_after_2049_have_four_digits() -> None:
    assert (
        from_der(issue(until=datetime(2099, 5, 6, 7, 8, 9, tzinfo=UTC))).not_after
        == datetime(2099, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp()
    )


def test_times_before_2000_have_a_year_of_the_last_century() -> None:
    der = issue().replace(b"200101000000Z", b"990101000000Z")
    assert from_der(der).not_before == datetime(1999, 1, 1, tzinfo=UTC).timestamp()


def test_a_certificate_of_version_1_does_not_say_its_version() -> None:
    der = issue(((NameOID.COMMON_NAME, "old.example"),))
    version, body = b"\xa0\x03\x02\x01\x02", _body(der)
    assert body.startswith(version)
    extensions = body.index(b"\xa3\x10\x30\x0e\x30\x0c\x06\x03\x55\x1d\x13")  # only basicConstraints
    assert from_der(_with_body(der, body[:extensions].removeprefix(version))).names == ("old.example",)


@pytest.mark.parametrize(
    ("rdns", "subject"),
    [
        ((), ""),
        ((((NameOID.COUNTRY_NAME, "DE"),), ((NameOID.COMMON_NAME, "a"),)), "CN=a,C=DE"),
        (
            (((NameOID.ORGANIZATION_NAME, ' #A, "B" + C; <é> \\ = '),),),
            '\\ #A\\, \\"B\\" \\+ C\\; \\<\\C3\\A9\\> \\\\ =\\ ',
        ),
        ((((NameOID.COMMON_NAME, "#x"), (NameOID.USER_ID, "u")),), "UID=u+CN=\\#x"),
        ((((NameOID.EMAIL_ADDRESS, "a@b"),), ((NameOID.DOMAIN_COMPONENT, "com"),)), "DC=com,emailAddress=a@b"),
        ((((NameOID.COMMON_NAME, " "),),), "CN=\\ "),
        ((((OWN_LINES, "zz"),),), "1.3.6.1.4.1.55555.1=#0C027A7A"),
        ((((JOINT, "z"),),), "2.999.3=#0C017A"),
        ((((NameOID.COMMON_NAME, "a\nb\x7f"),),), "CN=a\\0Ab\\7F"),
    ],
)
def test_subjects_are_written_as_openssl_writes_them(rdns: tuple[tuple[Attribute, ...], ...], subject: str) -> None:
    der = issue(*rdns)
    expected = f"O={subject}" if subject.startswith("\\ ") else subject
    assert from_der(der).subject == expected == openssl(der)


# OpenSSL leaves a value that is only "#" as it is, against RFC 4514 2.4.
_TEXTS = st.text(
    st.characters(min_codepoint=1, max_codepoint=0x10FFFF, exclude_categories=["Cs"]), min_size=1, max_size=20
)


@settings(max_examples=15, deadline=None)
@given(st.lists(_TEXTS.filter(lambda text: text != "#"), max_size=3))
def test_any_text_is_written_as_openssl_writes_it(texts: list[str]) -> None:
    der = issue(*(((NameOID.ORGANIZATION_NAME, text),) for text in texts))
    assert from_der(der).subject == openssl(der)


@pytest.mark.parametrize(
    "kind",
    [
        _ASN1Type.PrintableString,
        _ASN1Type.IA5String,
        _ASN1Type.T61String,
        _ASN1Type.BMPString,
        _ASN1Type.UniversalString,
    ],
)
def test_every_kind_of_string_is_read(kind: _ASN1Type) -> None:
    der = issue(((NameOID.COMMON_NAME, "abc"),))
    value = {"BMPString": "abc".encode("utf-16-be"), "UniversalString": "abc".encode("utf-32-be")}.get(
        kind.name, b"abc"
    )
    # Built by hand: cryptography does not write all of them.
    assert from_der(_with_value(der, bytes([kind.value, len(value)]) + value)).subject == "CN=abc"


def test_a_value_that_is_no_string_is_shown_as_it_is() -> None:
    der, bits = issue(((NameOID.COMMON_NAME, "abc"),)), b"\x03\x02\x00\x05"
    assert from_der(_with_value(der, bits, UNIQUE_IDENTIFIER)).subject == "2.5.4.45=#03020005"
    with pytest.raises(ValueError, match="malformed"):
        from_der(_with_value(der, bits))


def _with_value(der: bytes, value: bytes, kind: bytes = COMMON_NAME) -> bytes:
    """The same certificate, signature aside, with another value in its subject, and lengths that fit."""
    body = _body(der)
    attribute = kind + value
    name = _tlv(0x30, _tlv(0x31, _tlv(0x30, attribute)))
    old = _tlv(0x30, _tlv(0x31, _tlv(0x30, b"\x06\x03\x55\x04\x03\x0c\x03abc")))
    assert body.count(old) == 2
    return _with_body(der, body.replace(old, name))


def _with_body(der: bytes, body: bytes) -> bytes:
    """The same certificate with another body under its signature."""
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    return _tlv(0x30, _tlv(0x30, body) + der[der.index(signed) + len(signed) :])


def _body(der: bytes) -> bytes:
    """What is signed, without its tag and length."""
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    return signed[2 + (signed[1] & 0x7F if signed[1] > 0x7F else 0) :]


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1)
    return bytes([tag]) + (size if len(content) < 128 else bytes([0x80 | len(size)]) + size) + content


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_none_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        from_pem(pem)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_is_an_error_or_harmless(data: st.DataObject) -> None:
    der = bytearray(issue_once())
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(der)))
    for damaged in (bytes(der), bytes(der[:cut])):
        with suppress(ValueError):
            from_der(damaged)


_ISSUED: list[bytes] = []


def issue_once() -> bytes:
    if not _ISSUED:
        _ISSUED.append(
            issue(
                ((NameOID.COMMON_NAME, "abc"), (OWN_LINES, "x")),
                names=(x509.DNSName("a.example"), x509.IPAddress(ip_address("::1"))),
            )
        )
    return _ISSUED[0]
