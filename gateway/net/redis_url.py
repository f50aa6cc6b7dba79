"""The URL of a Redis: one server, a primary that Sentinels know, or a Cluster.

    redis://[user:password@]host[:6379][/database][?…]      one server; rediss:// with TLS
    unix://[user:password@]/path[?…]                        one server on this machine
    redis+sentinel://[user:password@]host[:26379],…/service[/database][?…]
    redis+cluster://[user:password@]host[:6379],…[?…]       some of its nodes; it names the others

With `rediss+` every connection is TLS. What follows the question mark is for the client library. No text of an error
repeats anything of a URL: passwords are part of it.
"""

import re
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import quote, unquote

from gateway.kernel.host_port import host_port

RedisKind: TypeAlias = Literal["single", "sentinel", "cluster"]

PATTERN = r"^(rediss?(\+(sentinel|cluster))?|unix)://"
"""The beginning of all URLs, for the JSON Schema."""

_KINDS: dict[str, tuple[RedisKind, int]] = {
    "": ("single", 6379),
    "+sentinel": ("sentinel", 26379),
    "+cluster": ("cluster", 6379),
}
_SCHEME = re.compile(r"(rediss?|unix)(\+[a-z]+)?://")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:,/@%]+)(?::([0-9]{1,5}))?")
_DATABASE = re.compile(r"[0-9]{0,3}")
_LOGIN = re.compile(r"(?<=://)[^/?]*@|(?<=[?&;])([a-z_]*(?:username|password))=[^&;]*", re.IGNORECASE)
_SERVICE = re.compile(r"[A-Za-z0-9._-]+")

ENCODE = "percent-encode what a password has of # / ? % @ and blanks, or give it apart as `redis.password`"
"""The advice for a URL that cannot be parsed."""
_EXAMPLES: dict[RedisKind, str] = {
    "single": f"this is not a Redis URL; write `redis://host:port/database`, and {ENCODE}",
    "sentinel": (
        "this is not the URL of a Redis with Sentinels; "
        f"write `redis+sentinel://host:port,host:port/service`, and {ENCODE}"
    ),
    "cluster": f"this is not the URL of a Redis Cluster; write `redis+cluster://host:port,host:port`, and {ENCODE}",
}
_UNRESERVED = re.compile("%(?:2[DEde]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])")
"""Letters, digits and `-._~`, percent-encoded: no encoder does that, so a percent sign before one is literal."""


class RedisUrl(NamedTuple):
    """A URL, taken apart. `login` ends in "@" or is "", `query` begins with "?" or is "".

    User name and password in `login` are percent-encoded, whatever stood in the URL: every URL that is accepted here
    can be read by urllib, and so by the client library.

    `hosts` are names or addresses without brackets, none for a Unix socket, whose path is `path`. `service` is
    Sentinel's name of the primary.
    """

    kind: RedisKind
    scheme: Literal["redis", "rediss", "unix"]
    login: str
    hosts: tuple[tuple[str, int], ...]
    service: str
    path: str
    query: str


def parse(text: str) -> RedisUrl:
    """Return the parts of a URL. Raises ValueError with a text that says what to write, and holds no secret."""
    begin = _SCHEME.match(text)
    if begin is None or (begin[2] or "") not in _KINDS or (begin[1] == "unix" and begin[2]):
        raise ValueError(
            "a Redis URL begins with `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`"
        )
    scheme: Literal["redis", "rediss", "unix"] = (
        "unix" if begin[1] == "unix" else "rediss" if begin[1] == "rediss" else "redis"
    )
    kind, default_port = _KINDS[begin[2] or ""]
    rest, mark, query = text[begin.end() :].partition("?")
    authority, _, path = rest.partition("/")
    user, at, servers = authority.rpartition("@")
    if any(char.isspace() for char in text) or "#" in text:
        raise ValueError(_EXAMPLES[kind])
    if _UNRESERVED.search(user):
        raise ValueError(f"a percent sign in a user name or password is `%25`; {ENCODE}")
    login = _login(*user.partition(":")) if at else ""
    if scheme == "unix":
        if servers or not path:
            raise ValueError("the URL of a Unix socket is `unix://` and its path, which begins with a slash")
        return RedisUrl(kind, scheme, login, (), "", f"/{path}", mark + query)
    hosts = tuple(_host(server, default_port, kind) for server in servers.split(","))
    if kind == "single" and len(hosts) > 1:
        raise ValueError(
            "several servers are Sentinels (`redis+sentinel://`) or nodes of a Cluster (`redis+cluster://`)"
        )
    service = ""
    if kind == "sentinel":
        service, _, path = path.partition("/")
        if not _SERVICE.fullmatch(service):
            raise ValueError(
                "the URL of a Redis with Sentinels names the primary: `redis+sentinel://host:port,host:port/service`"
            )
    if not _DATABASE.fullmatch(path):
        raise ValueError("the path of a Redis URL is the number of a database, such as `/0`")
    if kind == "cluster" and path.strip("0"):
        raise ValueError("a Redis Cluster has no other database than 0")
    return RedisUrl(kind, scheme, login, hosts, service, path, mark + query)


def with_login(text: str, username: str, password: str) -> str:
    """Return the URL with a login that was given apart from it. Raises ValueError when it has one already."""
    url = parse(text)
    if url.login:
        raise ValueError("the URL has a login already; leave `username` and `password` out, or the login in the URL")
    begin = text.index("://") + 3
    return f"{text[:begin]}{quote(username, safe='')}:{quote(password, safe='')}@{text[begin:]}"


def _login(username: str, colon: str, password: str) -> str:
    """Return the login percent-encoded again, with "@" at its end."""
    return f"{quote(unquote(username), safe='')}{colon}{quote(unquote(password), safe='')}@"


def server_url(url: RedisUrl, host: str, port: int) -> str:
    """Return the URL of one server, with the same login, database and parameters."""
    return f"{url.scheme}://{url.login}{host_port(host, port)}/{url.path}{url.query}"


def socket_url(url: RedisUrl) -> str:
    """Return the server behind a Unix socket, with its login and all that follows the question mark."""
    return f"unix://{url.login}{url.path}{url.query}"


def masked(text: str) -> str:
    """Return the URL with `***` for every name and password in it."""
    return _LOGIN.sub(lambda found: f"{found[1]}=***" if found[1] else "***@", text)


def _host(text: str, default_port: int, kind: RedisKind) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    if match is None:
        raise ValueError(_EXAMPLES[kind])
    port = int(match[2] or default_port)
    if not 0 < port < 65536:
        raise ValueError(_EXAMPLES[kind])
    return match[1].strip("[]"), port
