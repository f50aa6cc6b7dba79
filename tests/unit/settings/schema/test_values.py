"""What single values may be, through the fields that hold them."""

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.net.address import Address, TargetUrl
from gateway.net.redis_url import ENCODE
from gateway.settings.schema import addresses, values
from gateway.settings.schema.values import RefusedError

UNKNOWN_PARAMETER = "the URL has a parameter that Redis connections do not have"
USUAL_PARAMETERS = "the usual ones are `db`, `username`, `password` and, with `rediss://`, `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile`"
NAME_PARTS = "its parts have 1 to 63 letters, digits and hyphens, with a dot between them"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("localhost:0", Address("localhost", 0)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),
        ("[::1]:80", Address("::1", 80)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert addresses.address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:3000", TargetUrl("http", "127.0.0.1", 3000, "")),
        ("http://a", TargetUrl("http", "a", 80, "")),
        ("https://A.example/", TargetUrl("https", "a.example", 443, "")),
        ("https://a/base/path/", TargetUrl("https", "a", 443, "/base/path")),
        ("HTTP://[::1]:81", TargetUrl("http", "::1", 81, "")),
    ],
)
def test_targets(text: str, url: TargetUrl) -> None:
    assert addresses.target_url(text) == url


def test_targets_are_printed_with_their_port() -> None:
    assert str(TargetUrl("http", "::1", 80, "/a")) == "http://[::1]:80/a"


def test_networks_and_instants() -> None:
    assert addresses.network("10.0.0.0/8") == ip_network("10.0.0.0/8")
    assert addresses.network("10.1.2.3") == ip_network("10.1.2.3/32")
    assert addresses.network("fd00::/8") == ip_network("fd00::/8")
    assert values.instant("2027-06-30T00:00:00Z") == datetime(2027, 6, 30, tzinfo=UTC)
    assert values.instant("2027-06-30t02:00:00.5+02:00") == datetime(2027, 6, 30, 0, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (addresses.redis_url, "redis://127.0.0.1:6379/0"),
        (addresses.redis_url, "rediss://user:pass@host"),
        (addresses.redis_url, "unix:///run/redis.sock?db=3&password=p"),
        (addresses.redis_url, "redis+sentinel://a:26379,b:26379/main/0?sentinel_password=p"),
        (addresses.redis_url, "rediss+cluster://user:pass@a:6379,b:6379?ssl_ca_certs=/ca.pem"),
        (addresses.redis_url, "rediss://host?ssl_ca_certs=/ca.pem&ssl_check_hostname=False&socket_timeout=0.5"),
        (values.token, "a-long.token"),
        (values.token, ""),
        (values.digest, "a" * 64),
        (addresses.server_name, f"{'a' * 63}.internal_1.example."),
        (values.href, "https://docs.example.com/limits#x"),
        (values.identifier, "acme-ci"),
        (values.identifier, "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"),
        (values.identifier_pattern, "encoding.*"),
        (values.header_name, "X-Api-Key"),
        (values.header_value, "text/html; charset=utf-8\té"),
        (values.query_name, "X-Api-Key"),
        (values.method, "OPTIONS"),
        (values.path_pattern, "/v1/{id}"),
        (values.path_prefix, "/v1"),
        (values.own_path, "/limits"),
        (values.document_path, "/v1/openapi.json"),
    ],
)
def test_texts_stay_as_they_are(rule: object, value: str) -> None:
    assert callable(rule)
    assert rule(value) == value


@pytest.mark.parametrize(("value", "count"), [("auto", None), (1, 1), (256, 256)])
def test_workers_are_as_many_as_wanted_or_as_fit(value: object, count: int | None) -> None:
    assert values.workers(value) == count


@pytest.mark.parametrize(
    ("rule", "value", "complaint", "hint"),
    [
        (values.duration, 30, "a duration needs its unit", "write `30s` or `30ms`"),
        (values.duration, 2.5, "a duration needs its unit", "write `2.5s` or `2.5ms`"),
        (values.duration, True, "a duration such as `30s` is wanted here, not true or false", ""),
        (values.duration, [], "a duration such as `30s` is wanted here", ""),
        (values.positive_duration, "0s", "must be longer than 0", ""),
        (values.size, 8, "a size needs its unit", "write `8B` or `8KiB`"),
        (values.identifier, 5, "an id in quotes is wanted here, not a bare number", ""),
        (values.identifier, "-a", "`-a` is not an id; use up to 128 letters, digits and `._:@-`, beginning with a letter or digit", ""),
        (values.identifier, "a b", "`a b` is not an id; use up to 128 letters, digits and `._:@-`, beginning with a letter or digit", ""),
        (values.identifier, "é", "`é` is not an id; use up to 128 letters, digits and `._:@-`, beginning with a letter or digit", ""),
        (values.identifier_pattern, "a?", "`a?` is neither a route's id nor a pattern such as `encoding.*`", ""),
        (values.header_name, "X Y", "`X Y` is not the name of a header field", "use letters, digits and `-`"),
        (values.header_name, "", "`` is not the name of a header field", "use letters, digits and `-`"),
        (values.header_name, "X:", "`X:` is not the name of a header field", "use letters, digits and `-`"),
        (values.header_value, "a\r\nb", "the value of a header field is one line of Latin-1 text without control characters", ""),
        (values.header_value, "€", "the value of a header field is one line of Latin-1 text without control characters", ""),
        (values.header_value, " a", "the value of a header field neither begins nor ends with white space", ""),
        (values.query_name, "a&b", "`a&b` is not the name of a query parameter", "use letters, digits and `._~-`"),
        (values.own_path, "/{id}", "a path without parameters is wanted here", ""),
        (values.document_path, "/a.yaml", "the path of the document ends with `.json`", "with `.yaml` in place of that it is YAML"),
        (values.method, "get", "`get` is not a method that the gateway knows", "did you mean `GET`?"),
        (values.method, "DELET", "`DELET` is not a method that the gateway knows", "did you mean `DELETE`?"),
        (values.method, "BREW", "`BREW` is not a method that the gateway knows", ""),
        (values.method, "TRACE", "TRACE never passes the gateway", ""),
        (values.method, "CONNECT", "CONNECT never passes the gateway", ""),
        (addresses.address, "8080", "`8080` is not `host:port`", "write `0.0.0.0:8080`"),
        (addresses.address, ":8080", "`:8080` is not `host:port`", "write `0.0.0.0:8080`"),
        (addresses.address, "localhost", "`localhost` is not `host:port`", ""),
        (addresses.address, "a:http", "`http` is not a port; ports are 0 to 65535", ""),
        (addresses.address, "a:65536", "`65536` is not a port; ports are 0 to 65535", ""),
        (addresses.address, "::1:80", "an IPv6 address stands in brackets", "write `[::1]:80`"),
        (addresses.address, "[::g]:80", "`[::g]` is not an IPv6 address", ""),
        (addresses.address, "a b:80", "`a b` is not a host name or address", ""),
        (addresses.address, "unix:/run/gateway.sock", "only `server.listeners` may have unix sockets", "write `host:port`"),
        (addresses.listen_address, "unix:gateway.sock", "the path of a unix socket begins with `/`", "write one such as `unix:/run/gateway/gateway.sock`"),
        (addresses.listen_address, "unix:/run/", "the path of a unix socket begins with `/`", "write one such as `unix:/run/gateway/gateway.sock`"),
        (addresses.listen_address, f"unix:/{'a' * 107}", "the path of a unix socket has at most 107 bytes", ""),
        (addresses.listen_address, "8080", "`8080` is not `host:port`", "write `0.0.0.0:8080`"),
        (addresses.trusted_proxy, "unix:/a", "`unix:/a` is not an address range", "write one such as `10.0.0.0/8`"),
        (addresses.server_name, "a..b", "`a..b` is not a host name", NAME_PARTS),
        (addresses.server_name, f"{'a' * 64}.example", f"`{'a' * 64}.example` is not a host name", NAME_PARTS),
        (addresses.server_name, "a." * 127, f"`{'a.' * 127}` is not a host name", NAME_PARTS),
        (addresses.network, "10.0.0.1/8", "`10.0.0.1/8` has bits set after its prefix", "write `10.0.0.0/8`"),
        (addresses.network, "10.0.0.0/33", "`10.0.0.0/33` is not an address range", "write one such as `10.0.0.0/8`"),
        (addresses.network, "localhost", "`localhost` is not an address range", "write one such as `10.0.0.0/8`"),
        (addresses.target_url, "a:80", "a target's URL begins with `http://` or `https://`", ""),
        (addresses.target_url, "ftp://a", "a target's URL begins with `http://` or `https://`", ""),
        (addresses.target_url, "http:/a", "a target's URL begins with `http://` or `https://`", ""),
        (addresses.target_url, "http://", "`` is not a host name or address", ""),
        (addresses.target_url, "http://a b", "a URL is printable ASCII without spaces", ""),
        (addresses.target_url, "http://ä", "a URL is printable ASCII without spaces", ""),
        (addresses.target_url, "http://a?x=1", "a target's URL has no query and no fragment", ""),
        (addresses.target_url, "http://a#", "a target's URL has no query and no fragment", ""),
        (addresses.target_url, "http://u:p@a", "a target's URL holds no user name or password", "set an Authorization header in `headers.request.set`"),
        (addresses.target_url, "http://a:0", "this is not a URL; ports are 1 to 65535", ""),
        (addresses.target_url, "http://a:", "this is not a URL; ports are 1 to 65535", ""),
        (addresses.target_url, "http://a:99999", "this is not a URL; ports are 1 to 65535", ""),
        (addresses.target_url, "http://[::g]", "this is not a URL; ports are 1 to 65535", ""),
        (addresses.target_url, "http://a/b/../c", "its path: dot segments never reach a route", ""),
        (addresses.redis_url, "127.0.0.1:6379", "a Redis URL begins with `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`", ""),
        (addresses.redis_url, "http://a", "a Redis URL begins with `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`", ""),
        (addresses.redis_url, "redis://", f"this is not a Redis URL; write `redis://host:port/database`, and {ENCODE}", ""),
        (addresses.redis_url, "redis://a:99999", f"this is not a Redis URL; write `redis://host:port/database`, and {ENCODE}", ""),
        (addresses.redis_url, "redis://a:0", f"this is not a Redis URL; write `redis://host:port/database`, and {ENCODE}", ""),
        (addresses.redis_url, "redis://a/x", "the path of a Redis URL is the number of a database, such as `/0`", ""),
        (addresses.redis_url, "redis://a/0?s3cret=1", UNKNOWN_PARAMETER, USUAL_PARAMETERS),
        (addresses.redis_url, "redis://a/0?db=1&s3cret", UNKNOWN_PARAMETER, USUAL_PARAMETERS),
        (addresses.redis_url, "redis://a?db=abc", "the value of the URL's parameter `db` is none that it can have", ""),
        (addresses.redis_url, "redis://a?db=", "the value of the URL's parameter `db` is none that it can have", ""),
        (addresses.redis_url, "redis://a?ssl_ca_certs=/ca.pem", "`ssl_ca_certs` is of use with `rediss://` only", ""),
        (addresses.redis_url, "redis+sentinel://a/main?ssl_ca_certs=/ca.pem", "`ssl_ca_certs` is of use with `rediss://` only", ""),
        (addresses.redis_url, "redis://a?sentinel_password=p", "`sentinel_password` is of use with `redis+sentinel://` only", ""),
        (addresses.redis_url, "redis+cluster://a?db=1", "a Redis Cluster has no other database than 0", ""),
        (addresses.redis_url, "unix:///a?socket_keepalive=yes", "`socket_keepalive` is of no use with `unix://`", ""),
        (addresses.redis_url, "redis://a?" + "db=1&" * 51, "this is not a Redis URL; write `redis://host:port/database`", ""),
        (values.token, "a b", "a token is printable ASCII without spaces", ""),
        (values.digest, "A" * 64, "a SHA-256 digest is 64 lower-case hexadecimal digits", "write it in lower case"),
        (values.digest, "a" * 63, "a SHA-256 digest is 64 lower-case hexadecimal digits", "`gateway keys create` prints one"),
        (values.digest, 5, "a SHA-256 digest in quotes is wanted here, not a bare number", ""),
        (values.instant, "2027-06-30", "`2027-06-30` is not a date and time with its offset (RFC 3339)", "write one such as `2027-06-30T00:00:00Z`"),
        (values.instant, "2027-06-30T00:00:00", "`2027-06-30T00:00:00` is not a date and time with its offset (RFC 3339)", "write one such as `2027-06-30T00:00:00Z`"),
        (values.instant, "2027-02-30T00:00:00Z", "`2027-02-30T00:00:00Z` is not a date and time: day is out of range for month", ""),
        (values.href, "docs", "`docs` is not a URL that begins with `http://` or `https://`", ""),
        (values.href, "javascript:alert(1)", "`javascript:alert(1)` is not a URL that begins with `http://` or `https://`", ""),
        (values.workers, 257, "the number of workers is `auto`, or 1 to 256", ""),
        (values.workers, 0, "the number of workers is `auto`, or 1 to 256", ""),
        (values.workers, True, "the number of workers is `auto`, or 1 to 256", ""),
        (values.workers, "many", "the number of workers is `auto`, or 1 to 256", ""),
    ],
)  # fmt: skip
def test_what_will_not_do_is_reported_with_what_to_write(
    rule: object, value: object, complaint: str, hint: str
) -> None:
    assert callable(rule)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the text is compared below
        rule(value)
    assert str(caught.value) == complaint
    assert (caught.value.hint if isinstance(caught.value, RefusedError) else "") == hint


@pytest.mark.parametrize(
    ("rule", "written", "value"),
    [
        (values.positive_duration, "1500ms", 1.5),
        (values.size, "2KiB", 2048),
        (values.percent, "20%", 0.2),
        (values.header_names, "X-Internal-*", "X-Internal-*"),
        (values.version, 1, 1),
    ],
)
def test_what_values_become(rule: Callable[[object], object], written: object, value: object) -> None:
    assert rule(written) == value


def test_a_password_is_any_text() -> None:
    assert values.password("p%41/s#s@ [") == "p%41/s#s@ ["


def test_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"s3cret\r\n")
    assert values.password_file(str(file)) == "s3cret"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "the file cannot be read: No such file or directory"),
        (".", "`{folder}` cannot be read: Is a directory"),
        ("a\0b", "this is not the name of a file"),
        ("latin", "`{folder}/latin` is not UTF-8 text"),
        ("empty", "`{folder}/empty` holds no password: 1 to 4096 characters are wanted"),
        ("long", "`{folder}/long` holds no password: 1 to 4096 characters are wanted"),
    ],
)
def test_files_that_hold_no_password(name: str, message: str, tmp_path: Path) -> None:
    for file, content in (("empty", b"\n"), ("latin", b"\xff"), ("long", b"a" * 4097)):
        (tmp_path / file).write_bytes(content)
    with pytest.raises(RefusedError) as refused:
        values.password_file(str(tmp_path / name))
    assert str(refused.value) == message.format(folder=tmp_path)


def test_a_file_that_is_not_there_is_looked_for_in_its_folder(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as refused:
        values.password_file(str(tmp_path / "none"))
    assert refused.value.hint == f"it is looked for in `{tmp_path}`"


@pytest.mark.parametrize(
    ("rule", "value", "message", "hint"),
    [
        (values.percent, 20, "a share needs its percent sign", "write `20%`"),
        (
            values.header_names,
            "X-*-A",
            "`X-*-A`: a `*` stands at the end only, behind what the names begin with",
            "write one such as `X-Internal-*`",
        ),
        (values.version, 2, "only version 1 of the format is known", "write `version: 1`"),
        (values.version, True, "only version 1 of the format is known", "write `version: 1`"),
    ],
)
def test_refused_values_have_a_hint(rule: Callable[[object], object], value: object, message: str, hint: str) -> None:
    with pytest.raises(RefusedError) as refused:
        rule(value)
    assert (str(refused.value), refused.value.hint) == (message, hint)
