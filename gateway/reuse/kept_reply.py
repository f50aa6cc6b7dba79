"""Turns replies into entries of the cache, and entries into replies to other requests."""

from multidict import istr

from gateway.exchange import CacheResult, CacheUse, Exchange, Reply
from gateway.kernel.caching.storage import Freshness, unmodified
from gateway.kernel.caching.store import Entry
from gateway.kernel.http.caching import kept_apart
from gateway.kernel.http.response_headers import SHARED, Line, as_text, value_of
from gateway.table import Route

_COPIED_BYTES = 64 * 1024
"""A body up to this size is copied to put an id into it. A larger one is sent beside it without a copy."""
_BEFORE_ID = b'{"requestId":"'
"""How every envelope begins (kernel/envelope/write.py)."""
_NOT_IN_304 = frozenset({"content-type", "content-encoding", "content-language", "content-disposition"})
_IF_NONE_MATCH, _IF_MODIFIED_SINCE = istr("If-None-Match"), istr("If-Modified-Since")
_CACHE_STATUS = "Cache-Status"


def parts_of(reply: Reply, request_id: str) -> tuple[bytes, bytes, bool]:
    """Return the body of a complete reply in two parts, and whether the id of the request stood between them."""
    body = b"".join((reply.body, reply.content, reply.tail))
    named = body.startswith(_BEFORE_ID + request_id.encode())
    at = len(_BEFORE_ID) if named else 0
    return body[:at], body[at + len(request_id) :] if named else body, named


def entry_of(reply: Reply, request_id: str, born_s: float, marks: int, freshness: Freshness) -> Entry:
    """Return the entry for a complete reply to the exchange `request_id`."""
    head, rest, named = parts_of(reply, request_id)
    fields = tuple([line for line in reply.fields if line[0].lower() != "age"])
    no_transform = freshness.no_transform
    return Entry(
        reply.status, reply.code, fields, head, rest, named, born_s, marks, freshness, no_transform=no_transform
    )


def reply_of(entry: Entry, x: Exchange, result: CacheResult, now_s: float, status: str) -> Reply:
    """Return the reply for `x`, with its own id in the body. `status` is what Cache-Status says.

    `now_s` is a reading of the monotonic clock.
    """
    age_s = max(0.0, now_s - entry.born_s)
    x.cache = CacheUse(result, age_s, entry.marks, entry.no_transform)
    fields = [*entry.fields, ("Age", str(int(age_s))), (_CACHE_STATUS, f"gateway; {status}")]
    body = entry.head + x.request_id.encode() if entry.named else b""
    content = entry.content
    reply = Reply(entry.status, fields, body, entry.code, "upstream")
    if x.method == "HEAD":
        reply.body, reply.length = b"", len(body) + len(content)
    elif len(content) > _COPIED_BYTES:
        reply.content, reply.length = content, len(body) + len(content)
    else:
        reply.body = body + content
    return conditional(reply, x) if x.headers.shape.conditional else reply


def hit_of(entry: Entry, x: Exchange, route: Route, now_s: float) -> Reply:
    """Return what `reply_of` would, for a hit of a caller of one organisation on a route whose fields no stage reads.

    The header lines are joined once for all who get the entry.
    """
    age_s, content = max(0.0, now_s - entry.born_s), entry.content
    x.cache = CacheUse("hit", age_s, entry.marks, entry.no_transform)
    text = entry.text or _text(entry, route)
    ttl = int(entry.freshness.lifetime_s - age_s)
    text = f"{text}Age: {int(age_s)}\r\n{_CACHE_STATUS}: gateway; hit; ttl={ttl}\r\n"
    body = entry.head + x.request_id.encode() if entry.named else b""
    if len(content) > _COPIED_BYTES:
        length = len(body) + len(content)
        return Reply(entry.status, [], body, entry.code, "upstream", length=length, content=content, text=text)
    return Reply(entry.status, [], body + content, entry.code, "upstream", text=text)


def _text(entry: Entry, route: Route) -> str:
    """Join the header lines, those included that `stages/response_headers.py` adds about caches."""
    fields, privacy = [*entry.fields], route.privacy
    if privacy:
        fields = kept_apart(fields, privacy, "") if entry.marks & SHARED else [*fields, *privacy]
    entry.text = as_text(fields)
    return entry.text


def conditional(reply: Reply, x: Exchange) -> Reply:
    """Return `reply`, or 304 without a body when the client has it already (RFC 9110 15.4.5)."""
    wanted, since = x.headers.get(_IF_NONE_MATCH), x.headers.get(_IF_MODIFIED_SINCE)
    if reply.status != 200 or reply.stream is not None or (wanted is None and since is None):
        return reply
    if wanted is not None:
        wanted = ", ".join(x.headers.getall(_IF_NONE_MATCH, []))
    fields = reply.fields
    if not unmodified(wanted, since, value_of(fields, "etag") or "", value_of(fields, "last-modified") or ""):
        return reply
    kept = [line for line in fields if line[0].lower() not in _NOT_IN_304]
    return Reply(304, kept, b"", 0, reply.source, length=0, upstream_request_id=reply.upstream_request_id)


def forwarded(reply: Reply, x: Exchange, use: CacheUse, status: str) -> Reply:
    """Return the service's own reply to `x`, as the cache passes it on."""
    x.cache = use
    reply.fields = [*reply.fields, (_CACHE_STATUS, f"gateway; {status}")]
    return reply


def merged(before: tuple[Line, ...], newer: list[Line]) -> tuple[Line, ...]:
    """Return the fields of an entry that a 304 with the fields `newer` has confirmed (RFC 9111 3.2)."""
    taken = [line for line in newer if line[0].lower() not in (*_NOT_IN_304, "age", "content-length", "set-cookie")]
    names = {name.lower() for name, _ in taken}
    return (*[line for line in before if line[0].lower() not in names], *taken)
