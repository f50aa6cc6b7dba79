"""Cross-origin resource sharing (CORS): which pages may call, and the header fields that tell a browser so.

The protocol is that of https://fetch.spec.whatwg.org/#http-cors-protocol.

Law: an origin is compared with each pattern in time linear in its length, and nothing of it is repeated in a reply
unless it fits one.
"""

import re

import msgspec

from gateway.kernel.http.response_headers import Line

ANY = "*"
"""The pattern that every origin fits, without credentials."""
ORIGIN_PATTERN = r"^(\*|[a-z][a-z0-9+.-]*://(\*\.)?([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?)$"
"""The form of an origin in the configuration: as browsers send it, or with `*.` in place of the first labels."""
OWN_FIELDS = "Access-Control-*"
"""The fields of a service that are replaced where the gateway has a policy."""

_PREFIX = "access-control-"
_NOT_IN_A_HOST = re.compile(r"[^a-z0-9_.-]")
_VARY: Line = ("Vary", "Origin")
_ALLOW_ORIGIN = "Access-Control-Allow-Origin"


class OriginPattern(msgspec.Struct, frozen=True):
    """The origins `scheme://*.host:port`: `begins` is `scheme://`, `ends` is `.host:port`."""

    begins: str
    ends: str

    def fits(self, origin: str) -> bool:
        """Return whether at least one label stands in place of the star, and nothing but labels."""
        begins, ends = self.begins, self.ends
        if len(origin) <= len(begins) + len(ends) or not (origin.startswith(begins) and origin.endswith(ends)):
            return False
        labels = origin[len(begins) : len(origin) - len(ends)]
        return _NOT_IN_A_HOST.search(labels) is None and not labels.startswith(".")


class CorsPolicy(msgspec.Struct, frozen=True):
    """The pages that may call a route, and the fields that say so.

    `any_origin` needs no look at the origin. `about_preflight` are the further fields of the reply to a preflight,
    `about_reply` those of every other reply.
    """

    any_origin: bool
    origins: frozenset[str]
    patterns: tuple[OriginPattern, ...]
    about_preflight: tuple[Line, ...]
    about_reply: tuple[Line, ...]

    def allows(self, origin: str | None) -> bool:
        """Return whether a page of `origin` may read replies. None stands for a request without Origin."""
        if self.any_origin:
            return True
        if origin is None:
            return False
        return origin in self.origins or any(pattern.fits(origin) for pattern in self.patterns)

    def fields(self, origin: str | None, *, preflight: bool) -> tuple[Line, ...]:
        """Return the fields of a reply to `origin`.

        Where replies depend on the origin they say so to caches, whether or not this one is allowed.
        """
        if not self.allows(origin):
            return (_VARY,)
        about = self.about_preflight if preflight else self.about_reply
        if self.any_origin:
            return ((_ALLOW_ORIGIN, ANY), *about)
        return ((_ALLOW_ORIGIN, origin or ""), _VARY, *about)


def cors_policy(
    origins: tuple[str, ...],
    *,
    methods: tuple[str, ...],
    headers: tuple[str, ...],
    expose: tuple[str, ...],
    credentials: bool,
    max_age_s: int,
) -> CorsPolicy:
    """Return the policy for `origins`, each of which fits ORIGIN_PATTERN."""
    starred = [origin.partition("*") for origin in origins if "*." in origin]
    with_credentials = (("Access-Control-Allow-Credentials", "true"),) if credentials else ()
    return CorsPolicy(
        ANY in origins,
        frozenset(origin for origin in origins if "*" not in origin),
        tuple(OriginPattern(begins, ends) for begins, _, ends in starred),
        (
            *with_credentials,
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", ", ".join(_without_doubles(headers))),
            ("Access-Control-Max-Age", str(max_age_s)),
        ),
        (*with_credentials, ("Access-Control-Expose-Headers", ", ".join(_without_doubles(expose)))),
    )


def without_cors(fields: list[Line]) -> list[Line]:
    """Return `fields` without those of CORS."""
    return [line for line in fields if not line[0].lower().startswith(_PREFIX)]


def _without_doubles(names: tuple[str, ...]) -> list[str]:
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name.lower(), name)
    return list(found.values())
