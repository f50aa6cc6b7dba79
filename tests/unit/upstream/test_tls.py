"""upstream/tls.py: files that have become unusable since they were checked are named."""

from pathlib import Path

import pytest

from gateway.net.pem import PairError
from gateway.upstream.tls import TlsFiles, ssl_context
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
