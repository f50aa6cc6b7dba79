"""Which certificate is shown, and when it is read again: handshakes in memory."""

import ssl
from pathlib import Path

import pytest

from gateway.edge.certificates import CertificateFiles, Certificates, TlsRequirements, verified_subject
from gateway.net.pem import PairError
from tests.authority import Authority, serial_number
from tests.unit.edge.handshaking import RecordedEvents


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def meet(certificates: Certificates, client: ssl.SSLContext, name: str | None) -> tuple[ssl.SSLObject, int]:
    """The client's side of a handshake, and the serial number of what it was shown. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client.check_hostname = False
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = certificates.context.wrap_bio(to_server, to_client, server_side=True)
    open_sides = [near, far]
    for _ in range(10):
        for side in list(open_sides):
            try:
                side.do_handshake()
                open_sides.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not open_sides
    der = near.getpeercert(binary_form=True)
    assert der is not None
    return near, serial_number(ssl.DER_cert_to_PEM_cert(der).encode())


def shown(certificates: Certificates, authority: Authority, name: str | None) -> int:
    return meet(certificates, authority.client(), name)[1]


def test_the_name_asked_for_chooses(authority: Authority) -> None:
    first, wild, exact = (
        authority.write("first", "first.example"),
        authority.write("wild", "*.api.example"),
        authority.write("exact", "a.api.example", "b.example"),
    )
    certificates = Certificates(
        [CertificateFiles(*first), CertificateFiles(*wild), CertificateFiles(*exact)],
        TlsRequirements(),
        RecordedEvents(),
    )
    for name, pair in {
        "first.example": first,
        "x.api.example": wild,
        "X.API.EXAMPLE": wild,
        "a.api.example": exact,
        "b.example": exact,
        "api.example": first,
        "y.x.api.example": first,
        "unknown.example": first,
        None: first,
    }.items():
        assert shown(certificates, authority, name) == serial_number(pair[0]), name
    assert repr(certificates) == "<Certificates *.api.example a.api.example b.example first.example>"


def test_only_modern_protocols_are_accepted(authority: Authority) -> None:
    certificates = Certificates(
        [CertificateFiles(*authority.write("a", "a.example"))], TlsRequirements(), RecordedEvents()
    )
    near, _ = meet(certificates, authority.client(), "a.example")
    assert (near.version(), near.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    older = authority.client()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    near, _ = meet(certificates, older, "a.example")
    cipher = near.cipher()
    assert near.version() == "TLSv1.2"
    assert cipher is not None
    assert cipher[0].startswith("ECDHE-")
    assert near.compression() is None
    older.set_ciphers("ECDHE+AES256:!AESGCM:!AESCCM")  # CBC
    with pytest.raises(ssl.SSLError, match=r"NO_SHARED_CIPHER|HANDSHAKE_FAILURE"):
        meet(certificates, older, "a.example")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_versions_below_the_lowest_are_refused(authority: Authority) -> None:
    pair = CertificateFiles(*authority.write("a", "a.example"))
    old = authority.client()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION"):
        meet(Certificates([pair], TlsRequirements(), RecordedEvents()), old, "a.example")
    newer = authority.client()
    newer.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION"):
        meet(Certificates([pair], TlsRequirements(ssl.TLSVersion.TLSv1_3), RecordedEvents()), newer, "a.example")


def test_a_changed_certificate_is_used_immediately(authority: Authority) -> None:
    events = RecordedEvents()
    a, b = authority.write("a", "a.example"), authority.write("b", "b.example")
    certificates = Certificates([CertificateFiles(*a), CertificateFiles(*b)], TlsRequirements(), events)
    before = certificates.context
    certificates.refresh()
    assert certificates.context is before
    authority.write("b", "new.example")
    certificates.refresh()
    assert certificates.context is before
    assert shown(certificates, authority, "new.example") == serial_number(b[0])
    assert shown(certificates, authority, "b.example") == serial_number(a[0])
    assert [each.names for each in events.read] == [("a.example",), ("b.example",), ("new.example",)]


def test_folders_that_are_swapped_by_a_link_are_seen(tmp_path: Path) -> None:
    for version in ("1", "2"):
        Authority(tmp_path / version).write("tls", "a.example")
    link = tmp_path / "now"
    link.symlink_to("1")
    certificates = Certificates(
        [CertificateFiles(str(link / "tls.crt"), str(link / "tls.key"))], TlsRequirements(), RecordedEvents()
    )
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(link)
    certificates.refresh()
    der = ssl.PEM_cert_to_DER_cert((tmp_path / "2" / "tls.crt").read_text())
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    near, _ = meet(certificates, client, "a.example")
    assert near.getpeercert(binary_form=True) == der


@pytest.mark.parametrize("damage", ["mismatched", "garbage", "gone", "empty"])
def test_a_broken_pair_leaves_the_one_before_in_force(authority: Authority, tmp_path: Path, damage: str) -> None:
    events = RecordedEvents()
    certificate, key = authority.write("a", "a.example")
    certificates = Certificates([CertificateFiles(certificate, key)], TlsRequirements(), events)
    before = serial_number(certificate)
    whole = Path(key).read_bytes()
    if damage == "gone":
        Path(key).unlink()
    else:
        other = Path(authority.write("other", "a.example")[1]).read_bytes()
        Path(key).write_bytes({"mismatched": other, "garbage": b"garbage" * 100, "empty": b""}[damage])
    for _ in range(3):
        certificates.refresh()
        assert shown(certificates, authority, "a.example") == before
    assert len(events.refused) == 1  # not once a look
    Path(key).write_bytes(whole)
    certificates.refresh()
    assert (len(events.read), len(events.refused)) == (2, 1)


def test_at_the_start_a_broken_pair_is_an_error(authority: Authority) -> None:
    certificate, key = authority.write("a", "a.example")
    authority.write("b", "b.example")
    with pytest.raises(PairError, match=r"a\.crt: this is not the private key"):
        Certificates(
            [CertificateFiles(certificate, key.replace("a.key", "b.key"))], TlsRequirements(), RecordedEvents()
        )


def test_clients_show_certificates_of_the_authority_named(authority: Authority, tmp_path: Path) -> None:
    ours, stranger = (
        authority.write("client", "client.example"),
        Authority(tmp_path / "other").write("client", "client.example"),
    )
    for required in (True, False):
        requirements = TlsRequirements(client_ca=str(authority.ca), client_required=required)
        certificates = Certificates(
            [CertificateFiles(*authority.write("a", "a.example"))], requirements, RecordedEvents()
        )
        meet(certificates, authority.client(*ours), "a.example")
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            meet(certificates, authority.client(*stranger), "a.example")
        if required:
            with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
                meet(certificates, authority.client(), "a.example")
        else:
            meet(certificates, authority.client(), "a.example")


def test_another_authority_for_clients_is_seen(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    certificates = Certificates(
        [CertificateFiles(*authority.write("a", "a.example"))],
        TlsRequirements(client_ca=str(authority.ca)),
        RecordedEvents(),
    )
    believed = authority.client()
    authority.ca.write_bytes(other.ca.read_bytes())
    certificates.refresh()
    believed.load_cert_chain(*other.write("client", "client.example"))
    meet(certificates, believed, "a.example")


class Verified:
    """The client's side of a connection, with a certificate that OpenSSL has let through."""

    def __init__(self, der: bytes | None) -> None:
        self._der = der

    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        assert binary_form
        return self._der


def test_the_subject_of_a_client_is_empty_without_a_certificate_and_with_a_malformed_one(authority: Authority) -> None:
    authority.write("a", common_name="billing")
    der = ssl.PEM_cert_to_DER_cert((authority.ca.parent / "a.crt").read_text())
    for shown_der, subject in ((der, authority.subject("a")), (None, ""), (b"", ""), (der[:-9], "")):
        assert verified_subject(Verified(shown_der)) == subject  # type: ignore[arg-type]
