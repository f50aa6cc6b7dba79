"""Reads X.509 certificates (RFC 5280): their names, their subject, and how long they are valid.

Only certificates that OpenSSL has accepted already are read here, so nothing is verified; but nothing is read past its
end either, whatever the bytes say.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

import msgspec

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_OID, _SEQUENCE, _SET, _OCTETS = 0x06, 0x30, 0x31, 0x04
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_UTC_TIME = 0x17
_TEXTS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""String types by tag."""
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
_COMMON_NAME = bytes.fromhex("550403")
_KEYWORDS = {
    _COMMON_NAME: "CN",
    bytes.fromhex("550405"): "serialNumber",
    bytes.fromhex("550406"): "C",
    bytes.fromhex("550407"): "L",
    bytes.fromhex("550408"): "ST",
    bytes.fromhex("550409"): "street",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
    bytes.fromhex("0992268993f22c640101"): "UID",
    bytes.fromhex("0992268993f22c640119"): "DC",
    bytes.fromhex("2a864886f70d010901"): "emailAddress",
}
"""Spelled as `openssl x509 -subject -nameopt RFC2253` spells them; any other attribute is its number."""
_MOST_ARC = 1 << 128
"""Of an object identifier. The longest that are given out are UUIDs (ITU-T X.667)."""
_ESCAPED = frozenset('"+,;<>\\')


class Certificate(msgspec.Struct, frozen=True):
    """`names` are DNS names in lower case (`*.example.com` too) and IP addresses; `subject` is RFC 4514 text in ASCII.

    `not_before` and `not_after` are Unix time in seconds.
    """

    names: tuple[str, ...]
    subject: str
    not_before: float
    not_after: float


class _Value(msgspec.Struct, frozen=True):
    """A tag and its contents."""

    tag: int
    content: bytes
    whole: bytes


_NOTHING = _Value(0, b"", b"")


def from_pem(pem: bytes) -> Certificate:
    """The first certificate of a PEM file. Raises ValueError when there is none, or it cannot be read."""
    _, begin, rest = pem.partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if not begin or not end:
        raise ValueError("no certificate in PEM form")
    try:
        return from_der(a2b_base64(body))
    except Base64Error as broken:
        raise ValueError("the certificate is not valid PEM") from broken


def from_der(der: bytes) -> Certificate:
    """Raises ValueError when it cannot be read."""
    try:
        return _certificate(der)
    except (StopIteration, IndexError, UnicodeDecodeError) as broken:
        raise ValueError("the certificate is not valid DER") from broken


def _certificate(der: bytes) -> Certificate:
    fields = _values(_only(_only(der, _SEQUENCE).content, _SEQUENCE).content)
    first = next(fields)
    if first.tag == _VERSION:
        next(fields)  # the serial number
    next(fields)  # the algorithm of the signature
    next(fields)  # the issuer
    not_before, not_after = map(_time, _values(_expect(next(fields), _SEQUENCE).content))
    subject = _subject(next(fields).content)
    names: tuple[str, ...] = ()
    for field in fields:
        if field.tag == _EXTENSIONS:
            names = tuple(_alternative_names(field.content))
    if not names:
        names = tuple(value.lower() for rdn in subject for kind, _, value in rdn if kind == _COMMON_NAME)
    return Certificate(names, ",".join(map(_rdn, reversed(subject))), not_before, not_after)


def _values(data: bytes) -> Iterator[_Value]:
    """The values that `data` consists of. Raises ValueError or IndexError."""
    at = 0
    while at < len(data):
        start, tag, size, at = at, data[at], data[at + 1], at + 2
        if size > 0x7F:
            digits = size & 0x7F
            size, at = int.from_bytes(data[at : at + digits]), at + digits
        if at + size > len(data):
            raise ValueError("the certificate breaks off")
        yield _Value(tag, data[at : at + size], data[start : at + size])
        at += size


def _only(data: bytes, tag: int) -> _Value:
    return _expect(next(_values(data), _NOTHING), tag)


def _expect(value: _Value, tag: int) -> _Value:
    if value.tag != tag:
        raise ValueError("the certificate is not built as RFC 5280 says")
    return value


def _time(value: _Value) -> float:
    text = value.content.decode("ascii")
    if value.tag == _UTC_TIME:  # RFC 5280 4.1.2.5.1: 50 to 99 are of the last century
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _alternative_names(content: bytes) -> Iterator[str]:
    for extension in _values(_only(content, _SEQUENCE).content):
        oid, *_, value = _values(extension.content)
        if oid.content != _SUBJECT_ALT_NAME:
            continue
        for name in _values(_only(_expect(value, _OCTETS).content, _SEQUENCE).content):
            if name.tag == _DNS_NAME:
                yield name.content.decode("ascii").lower()
            elif name.tag == _IP_ADDRESS:
                yield str(ip_address(name.content))


def _subject(content: bytes) -> list[list[tuple[bytes, _Value, str]]]:
    """Of each relative distinguished name its attributes: type, value, and the value as text."""
    found = []
    for rdn in _values(content):
        attributes = []
        for attribute in _values(_expect(rdn, _SET).content):
            kind, value = _values(attribute.content)
            coding = _TEXTS.get(value.tag)
            attributes.append((_expect(kind, _OID).content, value, value.content.decode(coding) if coding else ""))
        found.append(attributes)
    return found


def _rdn(attributes: list[tuple[bytes, _Value, str]]) -> str:
    """RFC 4514 2.2 to 2.4; what is not ASCII as its UTF-8 bytes, so that it fits a header field."""
    parts = []
    for kind, value, text in reversed(attributes):
        keyword = _KEYWORDS.get(kind)
        if keyword is None or value.tag not in _TEXTS:
            parts.append(f"{keyword or _dotted(kind)}=#{value.whole.hex().upper()}")
        else:
            parts.append(f"{keyword}={_escaped(text)}")
    return "+".join(parts)


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


def _dotted(oid: bytes) -> str:
    numbers, number = [], 0
    for byte in oid:
        if number > _MOST_ARC:
            raise ValueError("the certificate has a number that nobody was given")
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))
