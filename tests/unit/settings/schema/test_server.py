"""The login of Redis beside its URL."""

from pathlib import Path

import pytest

from gateway.settings import Config, ConfigError, parse

LEAST = "version: 1\nupstreams: [{id: s, targets: [{url: 'http://127.0.0.1:1'}]}]\nroutes: [{id: r, upstream: s, match: {prefix: /}}]\n"


def read(redis: str, folder: Path, **environ: str) -> Config:
    return parse(f"{LEAST}redis: {redis}\n", environ=environ, directory=folder)


def test_a_password_apart_is_taken_as_it_is(tmp_path: Path) -> None:
    config = read("{url: 'redis://h:1/0', password: '${PW}'}", tmp_path, PW="p%41/s#s@ [")
    assert config.redis is not None
    assert config.redis.login_url() == "redis://:p%2541%2Fs%23s%40%20%5B@h:1/0"
    assert "p%41" not in repr(config.redis)


def test_a_file_may_hold_it(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    config = read("{url: 'redis+cluster://h,i', username: gw, password_file: password}", tmp_path)
    assert config.redis is not None
    assert config.redis.login_url() == "redis+cluster://gw:s3cret@h,i"
    assert "s3cret" not in repr(config.redis)


@pytest.mark.parametrize(
    ("redis", "message"),
    [
        (
            "{url: 'redis://:a@h', password: b}",
            "redis: the URL has a login already; leave `username` and `password` out, or the login in the URL",
        ),
        (
            "{url: 'redis://h', password: b, password_file: c}",
            "redis: `password` and `password_file` are two ways to say one thing; leave one of them out",
        ),
        (
            "{url: 'redis://h', username: b}",
            "redis: there is a `username` and no password; write `password` or `password_file`",
        ),
        ("{url: 'redis://h', password: 7}", "redis.password: a password in quotes is wanted here, not a bare number"),
        (
            "{url: 'redis://h', password_file: nowhere}",
            "redis.password_file: the file cannot be read: No such file or directory; it is looked for in `{folder}`",
        ),
        (
            "{url: 'redis://h', password_file: empty}",
            "redis.password_file: `{folder}/empty` holds no password: 1 to 4096 characters are wanted",
        ),
        (
            "{url: 'redis://h', password_file: none/where}",
            "redis.password_file: the file cannot be read: No such file or directory",
        ),
        ("{url: 'redis://h', password_file: .}", "redis.password_file: `{folder}` cannot be read: Is a directory"),
        ('{url: "redis://h", password_file: "a\\0b"}', "redis.password_file: this is not the name of a file"),
        ("{url: 'redis://h', password_file: latin}", "redis.password_file: `{folder}/latin` is not UTF-8 text"),
    ],
)
def test_what_will_not_do(redis: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "c").write_text("c")
    with pytest.raises(ConfigError) as raised:
        read(redis, tmp_path)
    assert [problem.sentence for problem in raised.value.problems if "redis" in problem.path] == [
        message.format(folder=tmp_path)
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "server: {listeners: [{tls: {client_auth: optional, certificates: [{certificate: c, private_key: k}]}}]}",
            "`client_auth` is of no use without `client_ca`",
        ),
        ("server: {listeners: [{proxy_protocol: true}]}", "`proxy_protocol` without `trusted_proxies` lets nobody in"),
        (
            "server: {listeners: [{redirect: https, tls: {certificates: [{certificate: c, private_key: k}]}}]}",
            "`redirect` and `tls` do not go together: who comes here speaks https already",
        ),
        ("server: {listeners: [{redirect_port: 8443}]}", "`redirect_port` is of no use without `redirect`"),
        ("server: {listeners: [{mode: '0600'}]}", "`mode` is of use for unix sockets only"),
        ("server: {limits_path: '/{a}'}", "a path without parameters is wanted here"),
        ("server: {docs_path: /docs}", "`docs_path` is of no use without `openapi_path`"),
        ("observability: {metrics: {buckets: [1s, 1s]}}", "the bounds of buckets ascend"),
    ],
)
def test_settings_that_do_not_fit_together(written: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(LEAST + written)
    assert message in [problem.text for problem in raised.value.problems]


def test_settings_that_fit_together() -> None:
    listener = (
        "{address: 'unix:/a.sock', mode: '0600', proxy_protocol: true, trusted_proxies: [unix], redirect: https, "
        "redirect_port: 8443}"
    )
    server = parse(f"{LEAST}server: {{limits_path: /limits, listeners: [{listener}]}}\n").server
    assert (server.limits_path, server.listeners[0].redirect_port) == ("/limits", 8443)
    assert parse(f"{LEAST}observability: {{metrics: {{buckets: [1s, 2s]}}}}").observability.metrics.buckets == (
        1.0,
        2.0,
    )
