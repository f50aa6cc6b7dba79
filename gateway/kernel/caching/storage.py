"""Whether a reply of a service may be kept, and for how long (RFC 9111 3 and 4.2).

Laws:
1. What sets a cookie, says no-store, or varies by everything is not kept. What is private is kept for one key at most.
2. Without a lifetime of the service or of the route nothing is kept: nothing is guessed (RFC 9111 4.2.2 allows it).
3. What the service has not called public does not leave the organisation that asked for it (RFC 9111 3.5: a request
   with a key is one with authorization).
4. What must be revalidated is never used when it is stale (RFC 9111 4.2.4).
"""

from collections.abc import Iterable
from email.utils import mktime_tz, parsedate_tz
from typing import Literal, TypeAlias

import msgspec

from gateway.kernel.caching.directives import Directives

Share: TypeAlias = Literal["organization", "key", "public"]
"""Who may get a reply that was made for somebody else."""
ServiceFields: TypeAlias = Iterable[tuple[bytes, bytes]]
"""Header fields of a service, with names in lower case."""

KEPT_STATUSES = frozenset({200, 203, 204, 300, 301, 308, 404, 410})
FAILED_STATUSES = frozenset({500, 502, 503, 504})
"""Statuses that stand for a service that is away (RFC 5861 4)."""
_LONGEST_DATE = 64
_MOST_VARY = 16
_MOST_TAGS, _LONGEST_TAG = 32, 128
_PERMITS_SHARING = frozenset({"public", "s-maxage", "must-revalidate"})
_FORBIDS_STALE = frozenset({"must-revalidate", "proxy-revalidate", "s-maxage", "no-cache"})
_TARGETED = frozenset({b"cdn-cache-control", b"surrogate-control"})
"""Fields for caches in front of a service (RFC 9213). What they forbid is not kept, their lifetimes are not used."""
_OWN_CACHE_FIELDS = frozenset({b"cache-control", *_TARGETED})


class CacheRules(msgspec.Struct, frozen=True):
    """How a route keeps replies. `ttl_s` is None when the service says for how long; `vary` are names in lower case.

    The other durations are in seconds, and `max_bytes` is the memory of one worker.
    """

    ttl_s: float | None
    max_bytes: int
    vary: tuple[str, ...]
    share: Share
    stale_while_revalidate_s: float
    stale_if_error_s: float


class Freshness(msgspec.Struct, frozen=True):
    """For how long, and for whom, a reply may be used again.

    `age_s` is its age when it was received; `lifetime_s` includes that.

    `public`: for all callers. After `lifetime_s` it may be used for `revalidate_s` more seconds while it is renewed,
    and for `error_s` while the service is away. `vary` are the names of the request fields that select it, in lower
    case, `control` is the service's Cache-Control. `kept` is False for what only those may get who were waiting for it
    already.
    """

    age_s: float
    lifetime_s: float
    revalidate_s: float
    error_s: float
    public: bool
    vary: tuple[str, ...]
    tags: tuple[str, ...]
    etag: bytes
    last_modified: bytes
    control: bytes
    kept: bool

    @property
    def no_transform(self) -> bool:
        """Whether the service forbids to code the body."""
        return b"no-transform" in self.control.lower()


def freshness_of(status: int, fields: ServiceFields, rules: CacheRules, now_s: float) -> Freshness | None:
    """Return how a reply with the service's own `fields` may be used again; None: nobody else may get it.

    `now_s` is Unix time.
    """
    named: dict[bytes, bytes] = {}
    for name, value in fields:
        named[name] = named[name] + b", " + value if name in named else value
    control = Directives.of(_text(named, b"cache-control"))
    forbidden = control.keys() | {
        directive for name in _TARGETED if name in named for directive in Directives.of(_text(named, name))
    }
    vary = _names(_text(named, b"vary"))
    if (
        b"set-cookie" in named
        or b"content-range" in named
        or "no-store" in forbidden
        or ("private" in forbidden and rules.share != "key")
        or "*" in vary
        or len(vary) > _MOST_VARY
    ):
        return None
    age_s = float(Directives({"age": _text(named, b"age")}).seconds("age") or 0)
    lifetime_s = _lifetime_s(status, named, control, rules, age_s, now_s)
    etag, last_modified = named.get(b"etag", b""), named.get(b"last-modified", b"")
    revalidate_s = error_s = 0.0
    if not control.keys() & _FORBIDS_STALE:
        revalidate_s = _either(control.seconds("stale-while-revalidate"), rules.stale_while_revalidate_s)
        error_s = _either(control.seconds("stale-if-error"), rules.stale_if_error_s)
    fresh = lifetime_s is not None and lifetime_s > age_s
    renewable = lifetime_s is not None and bool(etag or last_modified or revalidate_s or error_s)
    kept = status in KEPT_STATUSES and (fresh or renewable)
    if not kept and status not in FAILED_STATUSES:
        return None
    return Freshness(
        age_s,
        lifetime_s or 0.0,
        revalidate_s,
        error_s,
        rules.share == "public" and bool(control.keys() & _PERMITS_SHARING),
        vary,
        _tags(_text(named, b"cache-tag")),
        etag,
        last_modified,
        named.get(b"cache-control", b""),
        kept,
    )


def _lifetime_s(
    status: int, named: dict[bytes, bytes], control: Directives, rules: CacheRules, age_s: float, now_s: float
) -> float | None:
    """Return for how many seconds since it was made a reply is fresh; None when nobody says so."""
    if "no-cache" in control:
        return 0.0
    if rules.ttl_s is not None and status < 400:
        return rules.ttl_s + age_s
    for name in ("s-maxage", "max-age"):
        seconds = control.seconds(name)
        if seconds is not None:
            return float(seconds)
    if b"expires" not in named:
        return None
    expires, date = _unix(_text(named, b"expires")), _unix(_text(named, b"date"))
    return 0.0 if expires is None else max(0.0, expires - (now_s if date is None else date))


def unmodified(if_none_match: str | None, if_modified_since: str | None, etag: str, last_modified: str) -> bool:
    """Return whether a client already has the reply with this tag and date, as it says in its conditions.

    Tags are compared weakly, and a tag comes before a date (RFC 9110 13.1.2 and 13.1.3).
    """
    if if_none_match is not None:
        if if_none_match.strip() == "*":
            return True
        opaque = etag.removeprefix("W/")
        return bool(opaque) and any(
            tag.strip().removeprefix("W/") == opaque for tag in if_none_match.split(",", _MOST_TAGS)[:_MOST_TAGS]
        )
    if if_modified_since is None or not last_modified:
        return False
    if if_modified_since == last_modified:
        return True
    since, modified = _unix(if_modified_since), _unix(last_modified)
    return since is not None and modified is not None and modified <= since


def accepts(request: Directives, age_s: float, lifetime_s: float) -> bool:
    """Return whether a client takes a kept reply of that age (RFC 9111 5.2.1)."""
    if "no-cache" in request:
        return False
    oldest_s, rest_s = request.seconds("max-age"), request.seconds("min-fresh")
    return (oldest_s is None or age_s <= oldest_s) and (rest_s is None or lifetime_s - age_s >= rest_s)


def _either(own: int | None, configured: float) -> float:
    return configured if own is None else float(own)


def _text(named: dict[bytes, bytes], name: bytes) -> str:
    return named.get(name, b"").decode("latin-1")


def _names(value: str) -> tuple[str, ...]:
    names = [name.strip().lower() for name in value.split(",", _MOST_VARY + 1)]
    return tuple(sorted({name for name in names if name}))


def _tags(value: str) -> tuple[str, ...]:
    tags = [tag.strip() for tag in value.split(",", _MOST_TAGS)[:_MOST_TAGS]]
    return tuple([tag for tag in tags if tag and len(tag) <= _LONGEST_TAG])


def _unix(text: str) -> float | None:
    """Return an HTTP-date as Unix time; None for what is none."""
    parsed = parsedate_tz(text) if len(text) <= _LONGEST_DATE else None
    try:
        return None if parsed is None else float(mktime_tz(parsed))
    except (ValueError, OverflowError):
        return None
