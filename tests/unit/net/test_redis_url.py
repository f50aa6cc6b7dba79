"""net/redis_url.py: every way to write where Redis is, and what is said to the others."""

from urllib.parse import unquote, urlsplit

import pytest

from gateway.net.redis_url import ENCODE, RedisUrl, masked, parse, server_url, socket_url, with_login


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("redis://a", RedisUrl("single", "redis", "", (("a", 6379),), "", "", "")),
        ("rediss://u:p@a:1/2?x=y", RedisUrl("single", "rediss", "u:p@", (("a", 1),), "", "2", "?x=y")),
        ("redis://:p@ss@[::1]:7000/", RedisUrl("single", "redis", ":p%40ss@", (("::1", 7000),), "", "", "")),
        ("unix:///run/redis.sock", RedisUrl("single", "unix", "", (), "", "/run/redis.sock", "")),
        ("unix://u:p@/run/redis.sock?db=3", RedisUrl("single", "unix", "u:p@", (), "", "/run/redis.sock", "?db=3")),
        ("redis+sentinel://a,b:7/main", RedisUrl("sentinel", "redis", "", (("a", 26379), ("b", 7)), "main", "", "")),
        (
            "rediss+sentinel://u:p@[::1],b/main/3?x=y",
            RedisUrl("sentinel", "rediss", "u:p@", (("::1", 26379), ("b", 26379)), "main", "3", "?x=y"),
        ),
        ("redis+cluster://a,b:7", RedisUrl("cluster", "redis", "", (("a", 6379), ("b", 7)), "", "", "")),
        ("rediss+cluster://u@a/0?x=y", RedisUrl("cluster", "rediss", "u@", (("a", 6379),), "", "0", "?x=y")),
    ],
)
def test_what_a_url_states(text: str, url: RedisUrl) -> None:
    assert parse(text) == url


SINGLE = f"this is not a Redis URL; write `redis://host:port/database`, and {ENCODE}"
SENTINEL = (
    f"this is not the URL of a Redis with Sentinels; write `redis+sentinel://host:port,host:port/service`, and {ENCODE}"
)
CLUSTER = f"this is not the URL of a Redis Cluster; write `redis+cluster://host:port,host:port`, and {ENCODE}"
SCHEMES = "a Redis URL begins with `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", SCHEMES),
        ("a:6379", SCHEMES),
        ("redis:a", SCHEMES),
        ("valkey://a", SCHEMES),
        ("redis+ring://a", SCHEMES),
        ("unix+sentinel:///a", SCHEMES),
        ("redis://", SINGLE),
        ("redis://a:0", SINGLE),
        ("redis://a:65536", SINGLE),
        ("redis://a b", SINGLE),
        ("redis://a/0#b", SINGLE),
        ("redis://::1", SINGLE),
        ("redis://:p#ss@a", SINGLE),
        ("redis://:p/ss@a", SINGLE),
        ("redis://:p%41ss@a", f"a percent sign in a user name or password is `%25`; {ENCODE}"),
        ("redis://a/x", "the path of a Redis URL is the number of a database, such as `/0`"),
        (
            "redis://a,b",
            "several servers are Sentinels (`redis+sentinel://`) or nodes of a Cluster (`redis+cluster://`)",
        ),
        ("unix://", "the URL of a Unix socket is `unix://` and its path, which begins with a slash"),
        ("unix://run/redis", "the URL of a Unix socket is `unix://` and its path, which begins with a slash"),
        ("redis+sentinel://a,", SENTINEL),
        (
            "redis+sentinel://a",
            "the URL of a Redis with Sentinels names the primary: `redis+sentinel://host:port,host:port/service`",
        ),
        ("redis+sentinel://a/main/x", "the path of a Redis URL is the number of a database, such as `/0`"),
        ("redis+cluster://a,,b", CLUSTER),
        ("redis+cluster://a/1", "a Redis Cluster has no other database than 0"),
    ],
)
def test_what_each_server_is_given(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as raised:
        parse(text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "host", "one"),
    [
        ("rediss+sentinel://u:p@a/main/3?x=y", "b", "rediss://u:p@b:9/3?x=y"),
        ("redis+cluster://a", "::1", "redis://[::1]:9/"),
    ],
)
def test_one_server_of_several(text: str, host: str, one: str) -> None:
    assert server_url(parse(text), host, 9) == one


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://a:1/2", "redis://a:1/2"),
        ("redis://user:p@ss@a:1/2", "redis://***@a:1/2"),
        ("unix://u:p@/run/redis.sock?db=3&password=p", "unix://***@/run/redis.sock?db=3&password=***"),
        (
            "redis+sentinel://:p@a,b/main?sentinel_password=p&client_name=c",
            "redis+sentinel://***@a,b/main?sentinel_password=***&client_name=c",
        ),
        ("rediss://a?ssl_password=p&Username=u", "rediss://a?ssl_password=***&Username=***"),
    ],
)
def test_a_url_that_is_shown_has_no_login(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize("password", ["pa[word", "pa\uff03word", "p@ss", "a%2Fb", "a%zz", "[::1]:7@"])
def test_a_password_is_read_by_urllib_as_it_is_meant(password: str) -> None:
    url = server_url(parse(f"redis://us]er:{password}@a:1/0"), "a", 1)
    assert (unquote(urlsplit(url).username or ""), unquote(urlsplit(url).password or "")) == (
        "us]er",
        unquote(password),
    )


def test_a_login_may_be_given_apart() -> None:
    assert with_login("redis+sentinel://a,b/main", "", "p%41/ss@") == "redis+sentinel://:p%2541%2Fss%40@a,b/main"
    assert parse(with_login("unix:///run/a", "u", "p")).login == "u:p@"
    with pytest.raises(ValueError, match="has a login already"):
        with_login("redis://:x@a", "", "y")


def test_the_url_of_a_socket() -> None:
    assert socket_url(parse("unix://u:p[@/run/a?db=1")) == "unix://u:p%5B@/run/a?db=1"
