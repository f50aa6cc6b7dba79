"""The URL of a Redis server: what redis-py reads from it is known beforehand."""

import re
from urllib.parse import parse_qsl

from gateway.net.redis_url import RedisUrl, parse
from gateway.settings.schema.values import RefusedError, text_of

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
