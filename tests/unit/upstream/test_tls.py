"""upstream/tls.py: files that have become unusable since they were checked are named."""

import ssl
from pathlib import Path

import pytest

from gateway.net.pem import PairError
from gateway.upstream.tls import TlsFiles, ended_cleanly, ssl_context
from tests.authority import Authority


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = Authority(tmp_path)
    for name in ("a", "b"):
        authority.write(name, f"{name}.example")
    return tmp_path


@pytest.mark.parametrize(
    ("ca", "pair", "named"),
    [
        ("a.key", (), "a.key: there is no certificate"),
        ("none.pem", (), "none.pem: it cannot be read: No such file"),
        ("ca.pem", ("none.crt", "a.key"), "none.crt: it cannot be read: No such file"),
        ("ca.pem", ("a.crt", "b.key"), "b.key: this is not the private key"),
        ("ca.pem", ("a.crt", None), "a.crt: this is not a certificate with its private key"),
    ],
)
def test_unusable_files_are_named(folder: Path, ca: str, pair: tuple[str, str | None] | tuple[()], named: str) -> None:
    certificate, key = (None if name is None else folder / name for name in pair or (None, None))
    with pytest.raises(PairError, match=f"{folder}/{named}"):
        ssl_context(TlsFiles(folder / ca, certificate, key))


@pytest.mark.parametrize("own", [True, False])
def test_usable_files(folder: Path, *, own: bool) -> None:
    context = ssl_context(TlsFiles(folder / "ca.pem" if own else None, folder / "a.crt", folder / "a.key"))
    assert context.check_hostname
    if own:
        assert len(context.get_ca_certs()) == 1


def test_every_certificate_is_accepted_where_none_is_verified() -> None:
    context = ssl_context(TlsFiles(verify=False))
    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_NONE)


def connected(folder: Path) -> tuple[ssl.SSLObject, ssl.SSLObject, ssl.MemoryBIO]:
    """Return both ends of a connection in memory, and what the first one receives."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "a.crt", folder / "a.key")
    client = ssl_context(TlsFiles(folder / "ca.pem")).wrap_bio(to_client, to_server, server_hostname="a.example")
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        for each in [*waiting]:
            try:
                each.do_handshake()
                waiting.remove(each)
            except ssl.SSLWantReadError:
                pass
    return client, server, to_client


def test_an_end_is_clean_when_it_was_announced(folder: Path) -> None:
    client, server, received = connected(folder)
    with pytest.raises(ssl.SSLWantReadError):
        server.unwrap()
    received.write_eof()
    assert ended_cleanly(client)


def test_an_end_is_clean_too_when_both_have_announced_theirs(folder: Path) -> None:
    client, server, _ = connected(folder)
    with pytest.raises(ssl.SSLWantReadError):
        client.unwrap()
    server.unwrap()
    assert ended_cleanly(client)


def test_data_before_the_end_is_no_end(folder: Path) -> None:
    client, server, _ = connected(folder)
    server.write(b"x")
    assert not ended_cleanly(client)
