"""net/pem.py: files that are missing or have the wrong contents."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.net.pem import PairError, can_read_certificates, load_authorities, load_pair
from tests.authority import Authority


def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def test_a_loaded_pair_returns_its_certificate(tmp_path: Path) -> None:
    assert load_pair(context(), *Authority(tmp_path).write("a", "a.example")).names == ("a.example",)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(PairError, match="it cannot be read: No such file or directory"):
        load_pair(context(), str(tmp_path / "none"), None)
    with pytest.raises(PairError, match="it cannot be read: No such file or directory"):
        load_authorities(context(), str(tmp_path / "none"))


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(PairError) as caught:
        load_pair(context(), authority.write("a", "a.example")[0], authority.write("b", "b.example")[1])
    assert caught.value.about_key


def test_a_certificate_that_only_openssl_can_read(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).write("a", "a.example")
    # The form with hints for OpenSSL, which may be empty.
    pem = Path(certificate).read_bytes().replace(b" CERTIFICATE-", b" TRUSTED CERTIFICATE-")
    Path(certificate).write_bytes(pem)
    with pytest.raises(PairError, match="no certificate in PEM form"):
        load_pair(context(), certificate, key)


def test_an_encrypted_key_asks_nobody_for_its_password(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).write("a", "a.example")
    private = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    Path(key).write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    with pytest.raises(PairError, match="the private key is encrypted") as caught:
        load_pair(context(), certificate, key)
    assert caught.value.about_key


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(PairError, match="not a certificate with its private key in PEM form"):
        load_pair(context(), str(tmp_path / "text"), None)
    with pytest.raises(PairError, match="there is no certificate in PEM form in it"):
        load_authorities(context(), str(tmp_path / "text"))


def test_certificates_can_be_read_where_the_extra_is_installed() -> None:
    assert can_read_certificates()
