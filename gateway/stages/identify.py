"""Identifies the caller by the key in header or URL and by the organisation, and checks what the caller may use."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Protocol

from gateway.exchange import Exchange
from gateway.kernel.addresses import Binding
from gateway.kernel.faults import (
    ADDRESS_FORBIDDEN,
    KEY_AMBIGUOUS,
    KEY_MISSING,
    MALFORMED_PATH,
    MALFORMED_REQUEST,
    METHOD_FORBIDDEN,
    REFERRER_FORBIDDEN,
    ROUTE_FORBIDDEN,
    Fault,
    GatewayError,
    refusal,
)
from gateway.kernel.http.key_scrubbing import (
    TooManyKeysError,
    contains_secret,
    decode,
    drop_copies,
    fold,
    may_hold_key,
    secrets_of,
    take_key,
)
from gateway.kernel.http.request_fields import NO_KEY, HeadFacts
from gateway.table import Caller, Credentials, FoundCaller, Route, RouteTable

_LONGEST_NOTED = 256
"""The characters of an organisation up to which it is noted for the next request. None has a longer name."""


class CallerSource(Protocol):
    """Finds callers: the keyring of the configuration, or the cache of the keys that are kept in Redis.

    The keyring returns the caller itself, or the refusal, so that a request does not pay for a coroutine. `client` is
    the address that is charged for unknown keys, and `wall_s` is the Unix time in seconds.
    """

    def find(
        self, secret: str, organization: str | None, wall_s: float, client: str, digest: bytes = b"", /
    ) -> FoundCaller | Awaitable[FoundCaller]:
        """Return the caller with the key `secret`. `digest` is its SHA-256 if that is known already."""
        ...

    def certified(
        self, subject: str, organization: str | None, wall_s: float, client: str, /
    ) -> FoundCaller | Awaitable[FoundCaller]:
        """Return the caller whose verified certificate has this `subject`."""
        ...


def take_credentials(x: Exchange, credentials: Credentials) -> None:
    """Store the keys of the request on the exchange, and remove them and their copies from its query.

    Raises GatewayError KEY_AMBIGUOUS for more keys than a request may have, and MALFORMED_PATH or MALFORMED_REQUEST
    when a key is in the path or in Host, where it would reach the upstream.
    """
    facts = x.headers.facts
    if (
        facts is not None
        and facts.form.credentials is credentials
        and x.line is not None
        and not (x.query and may_hold_key(x.query, credentials.key_query, facts.key_in(x.headers.lines)))
    ):
        return
    x.line = None
    x.header_keys = x.headers.getall(credentials.key_header, [])
    if facts is not None and not x.header_keys:
        facts.digest = b""
        facts.note(credentials=credentials, key_at=NO_KEY[0], key_end=NO_KEY[1])
    if x.query:
        try:
            x.query_keys, x.query = take_key(x.query, credentials.key_query)
        except TooManyKeysError:
            raise GatewayError(KEY_AMBIGUOUS) from None
    keys = x.keys
    if keys:
        text = f"{x.path} {x.host} {x.query}"
        if len(keys) > 1 or "%" in text or keys[0] in text:
            _take_copies(x, keys, text, credentials)
    if ("%" in x.path or ";" in x.path) and _has_key_parameter(
        fold(decode(decode(x.path))), fold(credentials.key_query)
    ):
        raise _misplaced(MALFORMED_PATH, credentials)


def _take_copies(x: Exchange, keys: list[str], text: str, credentials: Credentials) -> None:
    """Remove copies of `keys` from the query. `text` is all of `x` that may contain copies."""
    try:
        secrets = secrets_of(keys)
        if not contains_secret(text.encode(errors="replace"), secrets):
            return
        x.query = drop_copies(x.query, secrets)
    except TooManyKeysError:
        raise GatewayError(KEY_AMBIGUOUS) from None
    if contains_secret(x.path.encode(errors="replace"), secrets):
        raise _misplaced(MALFORMED_PATH, credentials)
    if contains_secret(
        f"{x.host} {x.query}".encode(errors="replace"), secrets
    ):  # in the query: cut in two by a separator
        raise _misplaced(MALFORMED_REQUEST, credentials)


def _has_key_parameter(path: str, name: str) -> bool:
    return any(f"{separator}{name}=" in path for separator in ";?&")


def _misplaced(fault: Fault, credentials: Credentials) -> GatewayError:
    return GatewayError(
        fault, developer_message=f"Send your API key in the {credentials.key_header} header field, and nowhere else."
    )


def identify(
    x: Exchange, credentials: Credentials, callers: CallerSource, wall: Callable[[], float]
) -> FoundCaller | Awaitable[FoundCaller]:
    """Return the caller of the exchange: by the key in the header field, in the URL, or by the certificate.

    `wall` reads Unix time in seconds. There is a refusal in place of the caller: KEY_MISSING, KEY_AMBIGUOUS,
    MALFORMED_REQUEST for two organisations, and those of `callers`.
    """
    facts = x.headers.facts
    if facts is not None and facts.form.credentials is credentials:
        known: Caller | None = facts.caller
        if known is not None:
            return known
        if facts.digest:
            shown = facts.key_in(x.headers.lines)
            return callers.find(shown, facts.organization, wall(), x.client, facts.digest)
    keys = x.header_keys
    secret = keys[0] if keys and len(keys) == 1 and keys[0] else _secret(x)
    if isinstance(secret, GatewayError):
        return secret
    organization = _organization(x, credentials)
    if isinstance(organization, GatewayError):
        return organization
    if secret is None:
        return callers.certified(x.certificate_subject, organization, wall(), x.client)
    found = callers.find(secret, organization, wall(), x.client)
    if facts is not None and keys and len(keys) == 1:
        _note_facts(facts, x, credentials, organization, found if isinstance(found, Caller) and found.lasting else None)
    return found


def _note_facts(
    facts: HeadFacts, x: Exchange, credentials: Credentials, organization: str | None, caller: Caller | None
) -> None:
    """Note what the field lines say about the caller, for the next request that has them.

    `caller` is None where the same lines may come from another one, or from none, later.
    """
    key, headers = x.keys[0], x.headers
    value = key.encode("utf-8", "surrogateescape")
    if not value.isascii() or "%" in x.host or key in x.host or len(organization or "") > _LONGEST_NOTED:
        return
    _, end = headers.line_bounds()[headers.shape.only(credentials.key_header.lower())]
    facts.digest, facts.organization, facts.caller = sha256(value).digest(), organization, caller
    facts.note(credentials=credentials, key_at=end - 2 - len(value), key_end=end - 2)


def _secret(x: Exchange) -> str | GatewayError | None:
    """Return the key to identify by, or None when a certificate is used instead."""
    in_header = x.header_keys or ()
    if not in_header and not x.query_keys:
        return None if x.certificate_subject else refusal(KEY_MISSING)
    keys = list(dict.fromkeys(filter(None, in_header)) or dict.fromkeys(filter(None, x.query_keys)))
    if len(keys) > 1:
        return refusal(KEY_AMBIGUOUS)
    if not keys and not x.certificate_subject:
        return refusal(KEY_MISSING)
    return keys[0] if keys else None


def _organization(x: Exchange, credentials: Credentials) -> str | GatewayError | None:
    found = x.headers.getall(credentials.organization_header, [])
    if len(found) > 1 and len(set(found)) > 1:
        return GatewayError(
            MALFORMED_REQUEST, developer_message=f"Send the {credentials.organization_header} header field once."
        )
    return (found[0] or None) if found else None


def authorize(caller: Caller, route: Route, x: Exchange, table: RouteTable) -> GatewayError | None:
    """Return why the caller may not call this from where it does, None if it may. `table` has matched `route`.

    Refusals are ROUTE_FORBIDDEN, METHOD_FORBIDDEN, ADDRESS_FORBIDDEN, REFERRER_FORBIDDEN, and those of the table about
    paths that may be read as one of a route that the key may not use. Every key may use the limits endpoint.
    """
    if route.addresses is not None and not route.addresses.permits(x.client):
        return refusal(ADDRESS_FORBIDDEN)
    if caller.binding is not None and (fault := _unbound(x, caller.binding)) is not None:
        return refusal(fault)
    if caller.routes is not None and route.id not in caller.routes and route.upstream is not None:
        return refusal(ROUTE_FORBIDDEN)
    if caller.methods is not None and x.method not in caller.methods and route.upstream is not None:
        return refusal(METHOD_FORBIDDEN)
    return None if caller.routes is None else table.permit(caller.routes, route, x.method, x.path)


def _unbound(x: Exchange, binding: Binding) -> Fault | None:
    if binding.addresses is not None and not binding.addresses.permits(x.client):
        return ADDRESS_FORBIDDEN
    pages = binding.referrers
    if pages is not None and not pages.permits(x.headers.get("Origin"), x.headers.get("Referer")):
        return REFERRER_FORBIDDEN
    return None
