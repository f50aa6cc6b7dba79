"""Cache-Control and Vary of a reply that belongs to one caller.

Law (RFC 9111 5.2.2): `private` keeps shared caches from storing it, `no-store` all of them. A service that means to
share what keys have opened says so with `public` and `s-maxage`, and is believed; then `Vary` keeps keys apart.
"""

import re
from functools import lru_cache

from gateway.kernel.http.response_headers import Line

_DIRECTIVE = re.compile(r'[^\s,=]+(?:=(?:"(?:[^"\\]|\\.)*"|[^\s,]*))?')
_OF_SHARED_CACHES = frozenset({"public", "s-maxage", "proxy-revalidate"})
_TARGETED = frozenset({"cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"})
"""Fields that some shared caches obey in place of Cache-Control (RFC 9213)."""

_LONGEST_KNOWN = 256
"""Values up to so many characters are remembered: a service has few of them."""

VARY, CACHE_CONTROL = "Vary", "Cache-Control"
PRIVATE: Line = (CACHE_CONTROL, "private")


def varying(value: str, names: str) -> str:
    """Return a Vary field of `value`, and of `names` that it does not have."""
    listed = [name for name in map(str.strip, value.split(",")) if name]
    if "*" in listed:
        return "*"
    known = {name.lower() for name in listed}
    return ", ".join(
        [*listed, *(name for name in map(str.strip, names.split(",")) if name and name.lower() not in known)]
    )


def private(value: str) -> str | None:
    """Return a Cache-Control field of `value` for one caller; None when `value` allows shared caches explicitly."""
    directives = _DIRECTIVE.findall(value)
    names = {
        directive.partition("=")[0].lower() for directive in directives if not directive.lower().startswith("private=")
    }
    if "no-store" in names or "private" in names:
        return value
    if {"public", "s-maxage"} <= names:
        return None
    return ", ".join(
        ["private", *(one for one in directives if one.partition("=")[0].lower() not in _OF_SHARED_CACHES)]
    )


_varying, _private = lru_cache(maxsize=256)(varying), lru_cache(maxsize=256)(private)


def kept_apart(lines: list[Line], own: tuple[Line, ...], more: str) -> list[Line]:
    """Return `lines` of a service's reply with its `own` Vary and Cache-Control; `more` is a further name for Vary.

    Without a Cache-Control in `own`, that of `lines` holds, because it was configured.
    """
    kept: list[Line] = []
    vary: list[str] = []
    cache: list[str] = []
    targeted: list[Line] = []
    for line in lines:
        name = line[0].lower()
        if name == "vary":
            vary.append(line[1])
        elif name == "cache-control":
            cache.append(line[1])
        else:
            (targeted if name in _TARGETED else kept).append(line)
    own_values = dict(own)
    names, varies, control = f"{own_values.get(VARY, '')}, {more}", ", ".join(vary), ", ".join(cache)
    kept.append((VARY, (_varying if len(varies) <= _LONGEST_KNOWN else varying)(varies, names)))
    for_one = None
    if CACHE_CONTROL in own_values:
        for_one = (_private if len(control) <= _LONGEST_KNOWN else private)(control)
    if for_one is None:
        kept += targeted
    if for_one or control:
        kept.append((CACHE_CONTROL, for_one or control))
    return kept
