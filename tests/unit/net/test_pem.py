"""net/pem.py: files that are missing or have the wrong contents."""

import ssl
from pathlib import Path

import pytest

from gateway.net.pem import PairError, load_authorities, load_pair
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
