"""Names a request for the cache: the URL that the service sees, who may get the reply, and the fields that select it.

Law: two requests have the same names only if the service may answer both with one reply. What the gateway itself tells
a service in a field counts as all that it tells about the sender.
"""

from collections.abc import Collection
from hashlib import blake2b

from gateway.exchange import Exchange
from gateway.kernel.caching.directives import Directives
from gateway.kernel.caching.storage import CacheRules, Share
from gateway.kernel.caching.store import ALL_SCOPES
from gateway.kernel.http.request_fields import FieldShape, may_be_remembered
from gateway.kernel.memo import Memo
from gateway.table import Caller, Route

_DIGEST_BYTES = 20
_LONGEST_KNOWN = 256
_resources: Memo[tuple[str, str, str, str], bytes] = Memo(4096)
"""The digests of URLs up to so many characters."""
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded")

_scopes: Memo[tuple[Caller, Share], bytes] = Memo(8192)
"""The digests of callers, by who is the same caller."""

_CREDENTIALS = frozenset({b"authorization", b"cookie"})
"""Fields by which services know people by themselves (RFC 9111 3.5)."""
_CONDITIONS = frozenset({b"range", b"if-range", b"if-match", b"if-unmodified-since"})
"""Fields that ask for something else than the whole reply."""
_OF_CREDENTIALS, _BYPASSES, _CONTROLS = 1, 2, 4
"""What a field means for the cache: it may select a reply, the request is not for the cache, or it has directives."""
_plain_shapes: Memo[FieldShape, bool] = Memo(1024)
"""Whether none of the names of a request means anything for the cache."""


class _FieldKinds(Memo[bytes, int]):
    """What a field means, by its name as received."""

    __slots__ = ()

    def __missing__(self, name: bytes) -> int:
        lower = name.lower()
        if lower in _CONDITIONS or b"_" in name:  # CGI and WSGI take `X_A` for `X-A`
            kind = _BYPASSES
        else:
            kind = _OF_CREDENTIALS if lower in _CREDENTIALS else _CONTROLS if lower == b"cache-control" else 0
        return kind if len(name) > _LONGEST_KNOWN else self.keep(name, kind)


_kinds = _FieldKinds(1024)
_NOTHING = Directives()


def is_plain(x: Exchange) -> bool:
    """Return whether what a GET asks for follows from its URL, its caller and the fields that select a reply alone."""
    if x.body is not None or x.trusted_peer or x.certificate_subject:
        return False
    shape = x.headers.shape
    known = _plain_shapes.get(shape)
    if known is None:
        known = not shape.conditional and not any(map(_kinds.__getitem__, shape.names))
        if may_be_remembered(shape.names):
            _plain_shapes.keep(shape, known)
    return known


def directives_of(x: Exchange, rules: CacheRules) -> Directives | None:
    """Return what a GET or HEAD asks of the cache; None: it is not answered by the cache, and its reply not kept."""
    kinds = 0
    for name in x.headers.shape.names:
        kinds |= _kinds[name]
    if x.body is not None or kinds & _BYPASSES:
        return None
    if kinds & _OF_CREDENTIALS and any(
        name in x.headers and name not in rules.vary for name in ("authorization", "cookie")
    ):
        return None
    if not kinds & _CONTROLS:
        return _NOTHING
    directives = Directives.of(", ".join(x.headers.getall("Cache-Control", [])))
    return None if "no-store" in directives else directives


def resource_of(x: Exchange) -> bytes:
    """Return the digest of the URL: as the service sees it, and with the origin by which replies name the gateway."""
    if x.trusted_peer:
        origin = x.public_origin()
        named = (origin.scheme, origin.authority.lower(), origin.prefix)
    else:
        url = (x.scheme, x.host, x.path, x.query)
        known = _resources.get(url)
        if known is not None:
            return known
        digest = _digest([x.scheme, x.host.lower(), "", x.path, x.query])
        return digest if sum(map(len, url)) > _LONGEST_KNOWN else _resources.keep(url, digest)
    return _digest([*named, x.path, x.query])


def scope_of(caller: Caller, route: Route, rules: CacheRules) -> bytes:
    """Return the digest of those to whom a reply for `caller` belongs: an organisation, or a key on behalf of one."""
    if route.open:
        return ALL_SCOPES
    known = _scopes.get((caller, rules.share))
    return _scopes.keep((caller, rules.share), _scope_of(caller, rules.share)) if known is None else known


def _scope_of(caller: Caller, share: Share) -> bytes:
    if share == "key" or caller.organization is None:
        return _digest(["key", caller.id, caller.bucket, caller.organization or ""])
    return _digest(["organization", caller.organization])


def variant_of(x: Exchange, caller: Caller, route: Route, names: Collection[str]) -> bytes:
    """Return the digest of the request fields with these `names` (in lower case), and of the client's certificate."""
    if not names and not x.certificate_subject:
        return b""
    parts = [x.certificate_subject]
    for name in names:
        if name == "accept-encoding" and route.envelope.mode != "passthrough":
            continue  # the service is always asked for the plain body
        parts.append(name)
        if route.request_filter[name.encode("latin-1")] and name.encode("latin-1") not in x.withheld:
            parts.append(", ".join([value.strip() for value in x.headers.getall(name, [])]))
            parts.append("" if name in x.headers else "-")
        else:
            parts += [caller.head.decode("latin-1"), x.client, x.peer, x.host, x.scheme]
            parts += [", ".join(x.headers.getall(forwarded, [])) for forwarded in _FORWARDED]
    return _digest(parts)


def _digest(parts: list[str]) -> bytes:
    """Return a digest that no other list of texts has."""
    text = "".join([f"{len(part)}:{part}" for part in parts])
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=_DIGEST_BYTES).digest()
