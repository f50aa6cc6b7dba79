"""Values that name a peer: addresses of listeners and services, URLs of Redis, networks, subjects of certificates.

What redis-py reads from the URL of a Redis server is known beforehand.
"""

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from urllib.parse import parse_qsl, urlsplit

from gateway.kernel.http import path_patterns as patterns
from gateway.kernel.http.cors import ORIGIN_PATTERN
from gateway.net.address import UNIX, Address, TargetUrl, UnixAddress
from gateway.net.redis_url import RedisUrl, parse
from gateway.settings.schema.values import RefusedError, text_of

_MOST_PATH_BYTES = 107
"""sockaddr_un holds 108 bytes, the last of which is 0: unix(7)."""

SERVER_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_-]{1,63})*\.?$"
"""RFC 1035 2.3.4. With other labels `ssl` raises UnicodeError for each connection."""
_LONGEST_NAME = 253
HOST_PATTERN = r"^(\*\.)?[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_-]{1,63})*$|^\[[0-9A-Fa-f:.]+\]$"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_HOST = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,253}")


def _host(text: str) -> str:
    """Return a host without the brackets of an IPv6 address. Raises RefusedError."""
    if text.startswith("[") and text.endswith("]"):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError:
            raise RefusedError(f"`{text}` is not an IPv6 address") from None
    if not _HOST.fullmatch(text):
        raise RefusedError(f"`{text}` is not a host name or address")
    return text


def address(value: object) -> Address:
    text = text_of(value, "an address such as `127.0.0.1:8080`")
    if text.startswith("unix:"):
        raise RefusedError("only `server.listeners` may have unix sockets", "write `host:port`")
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise RefusedError(f"`{text}` is not `host:port`", f"write `0.0.0.0:{port}`" if port.isdecimal() else "")
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise RefusedError(f"`{port}` is not a port; ports are 0 to 65535")
    if ":" in host and not host.startswith("["):
        raise RefusedError("an IPv6 address stands in brackets", f"write `[{host}]:{port}`")
    return Address(_host(host), int(port))


def listen_address(value: object) -> Address | UnixAddress:
    if not isinstance(value, str) or not value.startswith("unix:"):
        return address(value)
    path = value.removeprefix("unix:")
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise RefusedError(
            "the path of a unix socket begins with `/`", "write one such as `unix:/run/gateway/gateway.sock`"
        )
    if len(path.encode()) > _MOST_PATH_BYTES:
        raise RefusedError(f"the path of a unix socket has at most {_MOST_PATH_BYTES} bytes")
    return UnixAddress(path)


def network(value: object) -> IPv4Network | IPv6Network:
    text = text_of(value, "an address range such as `10.0.0.0/8`")
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise RefusedError(f"`{text}` is not an address range", "write one such as `10.0.0.0/8`") from None
    raise RefusedError(f"`{text}` has bits set after its prefix", f"write `{meant}`")


def trusted_proxy(value: object) -> IPv4Network | IPv6Network | str:
    return UNIX if value == UNIX else network(value)


def target_url(value: object) -> TargetUrl:
    text = text_of(value, "a URL such as `http://127.0.0.1:3000`")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise RefusedError("a URL is printable ASCII without spaces")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise RefusedError("this is not a URL; ports are 1 to 65535") from None
    if url.scheme not in {"http", "https"} or not text.lower().startswith(("http://", "https://")):
        raise RefusedError("a target's URL begins with `http://` or `https://`")
    if "@" in url.netloc:
        raise RefusedError(
            "a target's URL holds no user name or password", "set an Authorization header in `headers.request.set`"
        )
    if "?" in text or "#" in text:
        raise RefusedError("a target's URL has no query and no fragment")
    if port == 0 or url.netloc.endswith(":"):
        raise RefusedError("this is not a URL; ports are 1 to 65535")
    host = _host(f"[{url.hostname}]" if url.netloc.startswith("[") else url.hostname or "")
    path = url.path.rstrip("/")
    if path:
        try:
            patterns.parse_prefix(path)
        except ValueError as error:
            raise RefusedError(f"its path: {error}") from None
    return TargetUrl(url.scheme, host, port or (443 if url.scheme == "https" else 80), path)


def host_pattern(value: object) -> str:
    text = text_of(value, "a host name such as `api.example.com`").lower()
    if not re.fullmatch(HOST_PATTERN, text) or len(text) > _LONGEST_NAME:
        raise RefusedError(
            f"`{text}` is not a host name", "write one such as `api.example.com` or `*.example.com`, without a port"
        )
    return text


def origin(value: object) -> str:
    text = text_of(value, "an origin such as `https://app.example.com`").lower()
    if not re.fullmatch(ORIGIN_PATTERN, text):
        raise RefusedError(
            f"`{text}` is not an origin",
            "write one as browsers send it, such as `https://app.example.com`, `https://*.example.com` or `*`",
        )
    if text.endswith(_DEFAULT_PORTS.get(text.partition(":")[0], " ")):
        raise RefusedError(f"`{text}`: browsers leave the usual port out", f"write `{text.rpartition(':')[0]}`")
    return text


def subject(value: object) -> str:
    text = text_of(value, "the subject of a certificate such as `CN=billing,O=ACME`")
    if (
        not text.isascii()
        or not text.isprintable()
        or not re.match(r"[A-Za-z0-9.]+=", text)
        or re.search(r"(?<!\\), ", text)
    ):
        raise RefusedError(
            f"`{text}` is not the subject of a certificate (RFC 4514)",
            "`openssl x509 -noout -subject -nameopt RFC2253` prints it",
        )
    return text


def server_name(value: object) -> str:
    text = text_of(value, "a host name")
    if not re.fullmatch(SERVER_NAME_PATTERN, text) or len(text) > _LONGEST_NAME:
        raise RefusedError(
            f"`{text}` is not a host name",
            "its parts have 1 to 63 letters, digits and hyphens, with a dot between them",
        )
    return text


_NUMBER = "[0-9]{1,9}"
_SECONDS = r"[0-9]{1,9}(\.[0-9]{1,9})?"
_FLAG = "(?i:true|false|yes|no|1|0)"
_ANY = ".+"
_PARAMETERS = {
    "db": "[0-9]{1,3}",
    "username": _ANY,
    "password": _ANY,
    "client_name": _ANY,
    "socket_keepalive": _FLAG,
    # What these would say is decided by the gateway
    "timeout": _SECONDS,
    "socket_timeout": _SECONDS,
    "socket_connect_timeout": _SECONDS,
    "retry_on_timeout": _FLAG,
    "max_connections": _NUMBER,
    "protocol": _NUMBER,
    "health_check_interval": _NUMBER,
}
AUTHORITIES = "ssl_ca_certs"
_FILES = (AUTHORITIES, "ssl_certfile", "ssl_keyfile")
_OF_TLS = {
    **dict.fromkeys(_FILES, _ANY),
    "ssl_ca_path": _ANY,
    "ssl_ciphers": _ANY,
    "ssl_password": _ANY,
    "ssl_cert_reqs": "none|optional|required",
    "ssl_check_hostname": _FLAG,
}
_OF_SENTINELS = {"sentinel_username": _ANY, "sentinel_password": _ANY}
_OF_TCP_ONLY = frozenset({"socket_keepalive"})
_USUAL = (
    "the usual ones are `db`, `username`, `password` and, with `rediss://`, `ssl_ca_certs`, `ssl_certfile` and "
    "`ssl_keyfile`"
)


def redis_url(value: object) -> str:
    text = text_of(value, "a URL such as `redis://127.0.0.1:6379/0`")
    url = parse(text)
    try:
        parameters = parse_qsl(url.query.removeprefix("?"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise RefusedError("this is not a Redis URL; write `redis://host:port/database`") from None
    for name, written in parameters:
        _parameter(url, name, written)
    return text


def files_of(url: str) -> list[tuple[str, str]]:
    """Return the parameters of a `redis_url` that are files, with their paths."""
    return [(name, path) for name, path in parse_qsl(parse(url).query.removeprefix("?")) if name in _FILES]


def _parameter(url: RedisUrl, name: str, written: str) -> None:
    """Check a parameter.

    Raises RefusedError, which repeats neither a value nor an unknown name: both may be parts of a password.
    """
    if name in _OF_TLS and url.scheme != "rediss":
        raise RefusedError(f"`{name}` is of use with `rediss://` only")
    if name in _OF_TCP_ONLY and url.scheme == "unix":
        raise RefusedError(f"`{name}` is of no use with `unix://`")
    if name in _OF_SENTINELS and url.kind != "sentinel":
        raise RefusedError(f"`{name}` is of use with `redis+sentinel://` only")
    if name == "db" and url.kind == "cluster":
        raise RefusedError("a Redis Cluster has no other database than 0")
    rule = _PARAMETERS.get(name) or _OF_TLS.get(name) or _OF_SENTINELS.get(name)
    if rule is None:
        raise RefusedError("the URL has a parameter that Redis connections do not have", _USUAL)
    if not re.fullmatch(rule, written):
        raise RefusedError(f"the value of the URL's parameter `{name}` is none that it can have")
