"""Listeners that contradict each other, and certificates that cannot be used."""

import sys
from pathlib import Path

import pytest

from gateway.settings import parse
from tests.authority import Authority, encrypted
from tests.yaml_files import LEAST, added


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: {listeners: [{address: 'a:1'}, {id: b, address: 'a:1'}]}", ["4:57 server.listeners[1].address: `a:1` is the address of listener `public` as well"]),
        ("server: {listeners: [{address: 'unix:/a'}, {id: b, address: 'unix:/a'}]}", ["4:61 server.listeners[1].address: `unix:/a` is the address of listener `public` as well"]),
        ("server: {listeners: [{proxy_protocol: true}]}", ["4:22 server.listeners[0]: `proxy_protocol` without `trusted_proxies` lets nobody in"]),
        ("server: {listeners: [{redirect_port: 8443}]}", ["4:22 server.listeners[0]: `redirect_port` is of no use without `redirect`"]),
        ("server: {listeners: [{redirect: https, redirect_port: 0}]}", ["4:55 server.listeners[0].redirect_port: must be 1 or more"]),
        ("server: {listeners: [{redirect: https, tls: {certificates: [{certificate: a}]}}]}", ["4:22 server.listeners[0]: `redirect` and `tls` do not go together: who comes here speaks https already"]),
        ("server: {listeners: [{mode: '0600'}]}", ["4:22 server.listeners[0]: `mode` is of use for unix sockets only"]),
        ("server: {listeners: [{address: 'unix:/a', mode: 0660}]}", ["4:49 server.listeners[0].mode: text is wanted here; put it into quotes"]),
        ("server: {listeners: [{address: 'unix:/a', mode: '0888'}]}", ["4:49 server.listeners[0].mode: does not look as it must: ^0?[0-7]{3}$"]),
        ("server: {listeners: [{address: 'a:1'}, {address: 'a:2'}]}", ["4:40 server.listeners[1].id: `public` is the id of another listener"]),
        ("admin: {address: '127.0.0.1:8080'}", ["4:18 admin.address: `127.0.0.1:8080` is the address of listener `public` as well"]),
        ("admin: {advertise: '0.0.0.0:9901'}", ["4:20 admin.advertise: `0.0.0.0:9901` is no address that others can reach; write the host and the port under which other gateways find this one, such as `10.0.0.7:9901`"]),
        ("admin: {advertise: '10.0.0.7:0'}", ["4:20 admin.advertise: `10.0.0.7:0` is no address that others can reach; write the host and the port under which other gateways find this one, such as `10.0.0.7:9901`"]),
    ],
)  # fmt: skip
def test_contradictions_are_reported_where_they_stand(text: str, message: list[str]) -> None:
    assert added(text) == message


def test_an_address_that_others_can_reach_may_be_advertised() -> None:
    assert str(parse(LEAST + "admin: {advertise: '10.0.0.7:9901'}").admin.advertise) == "10.0.0.7:9901"


def tls(text: str, directory: Path) -> list[str]:
    return added(f"server:\n  listeners:\n  - address: 'a:1'\n    tls: {{{text}}}\n", directory=directory)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("certificates: []", "7:25 server.listeners[0].tls.certificates: at least one is needed here"),
        ("certificates: [{certificate: a.crt, private_key: b.key}]", "7:60 server.listeners[0].tls.certificates[0].private_key: `{folder}/b.key`: this is not the private key of the certificate"),
        ("certificates: [{certificate: both.pem}]", ""),
        ("certificates: [{certificate: a.crt}]", "7:40 server.listeners[0].tls.certificates[0].certificate: `{folder}/a.crt`: this is not a certificate with its private key in PEM form (not PEM)"),
        ("certificates: [{certificate: a.crt, private_key: none.key}]", "7:60 server.listeners[0].tls.certificates[0].private_key: there is no readable file `{folder}/none.key`"),
        ("certificates: [{certificate: a.crt, private_key: locked.key}]", "7:60 server.listeners[0].tls.certificates[0].private_key: `{folder}/locked.key`: the private key is encrypted; nobody is there to ask for its password"),
        ('certificates: [{certificate: "-----BEGIN CERTIFICATE-----\\nMII"}]', "7:40 server.listeners[0].tls.certificates[0].certificate: the path of a file is wanted here, not its content"),
        ("certificates: [{certificate: both.pem}], client_ca: a.key", "7:63 server.listeners[0].tls.client_ca: `{folder}/a.key`: there is no certificate in PEM form in it (NO_CERTIFICATE_OR_CRL_FOUND)"),
        ("certificates: [{certificate: both.pem}], client_ca: none.pem", "7:63 server.listeners[0].tls.client_ca: there is no readable file `{folder}/none.pem`"),
        ("certificates: [{certificate: both.pem}], client_auth: optional", "7:10 server.listeners[0].tls: `client_auth` is of no use without `client_ca`"),
        ("certificates: [{certificate: both.pem}], min_version: 1.1", "7:65 server.listeners[0].tls.min_version: `1.2` or `1.3` is wanted here"),
    ],
)  # fmt: skip
def test_files_are_tried_before_they_are_needed(tmp_path: Path, text: str, message: str) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.write("a", "a.example")
    authority.write("b", "b.example")
    (tmp_path / "both.pem").write_bytes(Path(certificate).read_bytes() + Path(key).read_bytes())
    (tmp_path / "locked.key").write_bytes(encrypted(key))
    if message:
        assert tls(text, tmp_path) == [message.replace("{folder}", str(tmp_path))]
    else:
        parse(f"{LEAST}server: {{listeners: [{{tls: {{{text}}}}}]}}", "f", {}, tmp_path)


def test_paths_are_relative_to_the_file_they_stand_in(tmp_path: Path) -> None:
    Authority(tmp_path).write("a", "a.example")
    config = parse(
        LEAST
        + 'server: {listeners: [{tls: {certificates: [{certificate: a.crt, private_key: a.key}], client_ca: ca.pem, min_version: "1.3"}}]}',
        directory=tmp_path,
    )
    found = config.server.listeners[0].tls
    assert found is not None
    assert (found.certificates[0].certificate, found.certificates[0].private_key) == (
        str(tmp_path / "a.crt"),
        str(tmp_path / "a.key"),
    )
    assert (found.client_ca, found.client_auth, found.min_version) == (str(tmp_path / "ca.pem"), "required", "1.3")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("[{id: k}]", ["5:8 keys[0].secret_sha256: missing; `gateway keys create` prints one"]),
        ("[{id: k, certificate_subject: CN=a}, {id: l, certificate_subject: CN=b}]", []),
        ("[{id: k, certificate_subject: CN=a}, {id: l, certificate_subject: CN=a}]", ["5:73 keys[1].certificate_subject: another key has the same certificate, in line 5"]),
        ('[{id: k, certificate_subject: "CN=a, O=b"}]', ["5:37 keys[0].certificate_subject: `CN=a, O=b` is not the subject of a certificate (RFC 4514); `openssl x509 -noout -subject -nameopt RFC2253` prints it"]),
        ("[{id: k, certificate_subject: billing}]", ["5:37 keys[0].certificate_subject: `billing` is not the subject of a certificate (RFC 4514); `openssl x509 -noout -subject -nameopt RFC2253` prints it"]),
        ("[{id: k, secret_sha256: x}]", ["5:31 keys[0].secret_sha256: a SHA-256 digest is 64 lower-case hexadecimal digits; `gateway keys create` prints one"]),
    ],
)  # fmt: skip
def test_a_key_has_a_secret_or_a_certificate(tmp_path: Path, keys: str, message: list[str]) -> None:
    Authority(tmp_path).write("a", "a.example")
    text = f"server: {{listeners: [{{tls: {{certificates: [{{certificate: a.crt, private_key: a.key}}], client_ca: ca.pem}}}}]}}\nkeys: {keys}\n"
    if message:
        assert added(text, directory=tmp_path) == message
    else:
        parse(LEAST + text, "f", {}, tmp_path)


def test_a_certificate_needs_a_listener_that_asks_for_it() -> None:
    assert added("keys: [{id: k, certificate_subject: CN=a}]") == [
        "4:37 keys[0].certificate_subject: no listener asks clients for certificates; set `tls.client_ca` of one"
    ]


def test_tls_without_its_extra_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Authority(tmp_path).write("a", "a.example")
    text = "server: {listeners: [{tls: {certificates: [{certificate: a.crt, private_key: a.key}]}}]}\n"
    parse(LEAST + text, "f", {}, tmp_path)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    what, hint = "TLS needs the Python package `cryptography`", "install the gateway with its extra `identities`"
    assert added(text, directory=tmp_path) == [f"4:28 server.listeners[0].tls: {what}; {hint}"]
    parse(LEAST, "f", {}, tmp_path)
