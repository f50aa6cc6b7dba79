"""Maps URLs and paths of a service to the public ones.

Laws:
 - A reply that sends its client somewhere sends it to the public origin and path: whoever follows a URL of the
   service's
   own hands its API key to the service. A URL names the service if its host and port are a target's, or those that the
   route says in Host; without a port (or with the usual one) the host alone, unless clients call the gateway by it.
 - The way back is the way there, reversed: a target's own path and `add_prefix` are taken away, `strip_prefix` is put
   back. A service that minds X-Forwarded-Prefix has put it there already, and it is not put there twice.
 - URLs of other hosts stay as they are, byte for byte.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from urllib.parse import unquote

import msgspec

from gateway.kernel.http.response_headers import BackendFields, rewritten

_AUTHORITY = re.compile(r"(?:https?:[/\\]*|[/\\]{2,})([^/\\?#]*)", re.IGNORECASE)
"""An authority as browsers read it: after any slashes, in any number."""
_SAFE_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::(\d{0,5}))?")
_BRACKETED = re.compile(r"<([^<>]*)>")
_ANCHOR = re.compile(r'(\banchor=")([^"]*)', re.IGNORECASE)
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::")  # noqa: S104  nothing is bound here
"""Names that a service gives itself when it is called at one of these."""
_MOST_DIGITS = 18
_MOST_ATTRIBUTES = 32
"""Attributes of one cookie that are passed on. There are ten that mean something."""
_USUAL_PORTS = {"http": 80, "https": 443}


class PublicOrigin(msgspec.Struct, frozen=True):
    """The origin that a client calls.

    `authority` is "" if the request has no Host; `prefix` was stripped by proxies in front.
    """

    scheme: str
    authority: str
    prefix: str


def public_origin(
    scheme: str,
    host: str,
    forwarded_scheme: str = "",
    forwarded_host: str = "",
    forwarded_port: str = "",
    prefix: str = "",
) -> PublicOrigin:
    """`told_…` is what proxies in front say, "" for nothing: what is no scheme, authority or port is passed over.

    So is a usual port, which goes without saying: with the other scheme it is a mistake.
    """
    scheme = forwarded_scheme.lower() if forwarded_scheme.lower() in _USUAL_PORTS else scheme
    parts = _SAFE_AUTHORITY.fullmatch(forwarded_host) or _SAFE_AUTHORITY.fullmatch(host)
    if parts is None:
        return PublicOrigin(scheme, "", prefix)
    unusual = (
        forwarded_port.isdecimal()
        and len(forwarded_port) <= len("65535")
        and int(forwarded_port) not in _USUAL_PORTS.values()
    )
    port = parts[2] or (forwarded_port if unusual else "")
    return PublicOrigin(scheme, f"{parts[1]}:{port}" if port else parts[1], prefix)


class UrlMapping(msgspec.Struct, frozen=True):
    """How the URLs of a route's service map to public ones.

    `addresses` are the hosts (lower case, without brackets) and ports of its targets, `hosts` the hosts alone. `bases`
    are the paths that stand before what is left of a public path without `stripped`, the longest first; `added` is the
    part of them that belongs to the route.
    """

    addresses: frozenset[tuple[str, int]] = frozenset()
    hosts: frozenset[str] = frozenset()
    bases: tuple[str, ...] = ("",)
    stripped: str = ""
    added: str = ""

    def url(self, reference: str, to: PublicOrigin, path: str) -> str:
        """Return `reference` as a client needs it whose path at the service, without that of the target, is `path`."""
        authority = _AUTHORITY.match(reference)
        if authority is not None:
            if not self._is_named(authority, to):
                return reference
            at, scheme, own = _path(reference[authority.end() :]), to.scheme, to.authority
            public = self._public(at[0] or "/", to) + at[1]
            return f"{scheme}://{own}{public}" if own else public
        if not (self.stripped or to.prefix or self.bases != ("",)):
            return reference
        where, rest = _path(reference)
        if not where or ":" in where.partition("/")[0]:
            return reference
        if where[0] in "/\\":
            return self._public(where, to) + rest
        there = _flat((path or "/").rpartition("/")[0] + "/" + where)
        return self._of_route(there, to) + rest

    def link(self, value: str, to: PublicOrigin, path: str) -> str:
        """Return a Link field (RFC 8288)."""

        def bracketed(found: re.Match[str]) -> str:
            return f"<{self.url(found[1], to, path)}>"

        def anchor(found: re.Match[str]) -> str:
            return found[1] + self.url(found[2], to, path)

        return _ANCHOR.sub(anchor, _BRACKETED.sub(bracketed, value))

    def refresh(self, value: str, to: PublicOrigin, path: str) -> str:
        """Return a Refresh field: seconds, and perhaps a URL, in quotes or without."""
        cut = min((at for at in (value.find(";"), value.find(",")) if at >= 0), default=-1)
        rest = value[cut + 1 :].lstrip()
        if cut < 0 or not rest:
            return value
        if rest[:3].lower() == "url" and rest[3:].lstrip()[:1] == "=":
            rest = rest[3:].lstrip()[1:].lstrip()
        quote = rest[:1] if rest[:1] in "'\"" else ""
        target, closing, more = rest[len(quote) :].partition(quote) if quote else (rest, "", "")
        return f"{value[: len(value) - len(rest)]}{quote}{self.url(target, to, path)}{closing}{more}"

    def cookie(self, value: str, to: PublicOrigin) -> str:
        """Return a Set-Cookie field.

        With a name that begins with `__Host-` its path is / or missing (RFC 6265bis 4.1.3.2).
        """
        pair, *attributes = value.split(";", _MOST_ATTRIBUTES + 1)[: _MOST_ATTRIBUTES + 1]
        pinned = pair.lstrip().lower().startswith("__host-")
        kept = [pair]
        for attribute in attributes:
            name, sign, value = attribute.partition("=")
            text = value.strip().strip('"')
            kind = name.strip().lower()
            if kind == "path" and text[:1] == "/" and not pinned:
                kept.append(f"{name}{sign}{self._cookie_path(text, to)}")
            elif kind == "domain" and _host(text.removeprefix(".")) in self.hosts:
                public = _host(_split(to.authority)[0])
                if _is_domain(public):
                    kept.append(f"{name}{sign}{public}")
            else:
                kept.append(attribute)
        return ";".join(kept)

    def _is_named(self, authority: re.Match[str], to: PublicOrigin) -> bool:
        scheme = authority[0].partition(":")[0].lower()
        text, port = _split(unquote(authority[1]).rpartition("@")[2])
        host, usual = _host(text), _USUAL_PORTS.get(scheme)
        number = usual if not port else int(port) if port.isdecimal() and len(port) <= _MOST_DIGITS else -1
        if (host, number) in self.addresses:
            return True
        return (number is None or number == usual) and host in self.hosts and host != _host(_split(to.authority)[0])

    def _public(self, path: str, to: PublicOrigin) -> str:
        """Return where a client finds `path` of the target. What is not below a base is not public, and stays."""
        path = _flat(path.replace("\\", "/"))
        base = next((base for base in self.bases if base and _is_below(path, base)), None)
        if base is not None:
            return self._below(path[len(base) :], to)
        whole = to.prefix + self.stripped
        if "" not in self.bases or _is_below(path, whole):
            return path
        return to.prefix + path if self.stripped and _is_below(path, self.stripped) else self._below(path, to)

    def _of_route(self, path: str, to: PublicOrigin) -> str:
        """Return the public path of a path without that of the target; see `_public`."""
        return self._below(path[len(self.added) :], to) if _is_below(path, self.added) else path

    def _below(self, path: str, to: PublicOrigin) -> str:
        return f"{to.prefix}{self.stripped}{path}" or "/"

    def _cookie_path(self, path: str, to: PublicOrigin) -> str:
        """Return a cookie for all of the service, or more, is for all of what is public of it."""
        below = path.rstrip("/")
        if any(base == below or base.startswith(f"{below}/") for base in self.bases):
            return self._below("", to)
        return self._public(path, to)


def url_mapping(
    targets: Iterable[tuple[str, int, str]],
    host: str | None,
    stripped: str,
    added: str,
    spell: Callable[[str], str] = str,
) -> UrlMapping:
    """Return the mapping of a route.

    `targets` are hosts, ports and paths ("" or "/…"), `host` is the value of Host that is set for them all, `stripped`
    and `added` are the prefixes of the route. `spell` gives a path as it stands in a URL.
    """
    known = list(targets)
    addresses: set[tuple[str, int]] = set()
    for name, port, _ in known:
        named = _host(name)
        addresses.update((alias, port) for alias in (_LOOPBACK if named in _LOOPBACK else (named,)))
    hosts = {_host(name) for name, _, _ in known}
    if host is not None:
        name, port_text = _split(host)
        hosts.add(_host(name))
        addresses.update(
            (_host(name), port) for port in ([int(port_text)] if port_text.isdecimal() else _USUAL_PORTS.values())
        )
    bases = sorted({spell(path) + spell(added) for _, _, path in known} or {spell(added)}, key=len, reverse=True)
    return UrlMapping(frozenset(addresses), frozenset(hosts), tuple(bases), spell(stripped), spell(added))


def with_public_urls(fields: BackendFields, mapping: UrlMapping, to: PublicOrigin, path: str) -> BackendFields:
    """Return the fields of a reply with URLs of the service in the terms of the client.

    `path` is what the service was asked for.
    """

    def rewrite(name: str, value: str) -> str:
        if name == "set-cookie":
            return mapping.cookie(value, to)
        if name == "link":
            return mapping.link(value, to, path)
        return mapping.refresh(value, to, path) if name == "refresh" else mapping.url(value, to, path)

    return rewritten(fields, rewrite)


def _path(text: str) -> tuple[str, str]:
    """Return a path, and the query and fragment behind it."""
    end = min((at for at in (text.find("?"), text.find("#")) if at >= 0), default=len(text))
    return text[:end], text[end:]


def _split(authority: str) -> tuple[str, str]:
    """Host, and port as it is written."""
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = authority.partition(":")
    return host, port


def _host(text: str) -> str:
    """Return the host in one spelling."""
    name = text.strip("[]").lower().removesuffix(".")
    try:
        return str(ip_address(name)) if ":" in name else name
    except ValueError:
        return name


def _is_below(path: str, base: str) -> bool:
    return path.startswith(base) and path[len(base) : len(base) + 1] in ("", "/")


def _is_domain(host: str) -> bool:
    """Return whether a cookie may be for `host` and what is below it: browsers want a name with a dot."""
    return "." in host and not host.replace(".", "").isdecimal()


def _flat(path: str) -> str:
    """Return `path` without dot segments (RFC 3986 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[max(1, len(kept) - 1) :]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) if len(kept) > 1 else "/"
