"""Who calls: the key in header or URL, the organisation, and whether they may."""

from gateway.exchange import Exchange
from gateway.kernel.faults import (
    KEY_AMBIGUOUS,
    KEY_MISSING,
    MALFORMED_PATH,
    MALFORMED_REQUEST,
    METHOD_FORBIDDEN,
    ROUTE_FORBIDDEN,
    Fault,
    GatewayError,
)
from gateway.kernel.http.key_scrubbing import TooManyKeysError, contains_secret, decode, drop_copies, fold, secrets_of, take_key
from gateway.keystore.cache import StoredKeys
from gateway.table import Caller, Credentials, Route


def take_credentials(x: Exchange, credentials: Credentials) -> None:
    """Note the keys that came with the exchange, and take them and their copies out of its query for good.

    Raises GatewayError KEY_AMBIGUOUS for more keys than anybody has, and MALFORMED_PATH or MALFORMED_REQUEST when one stands
    in the path or in Host: it would reach the upstream.
    """
    x.header_keys = x.headers.getall(credentials.key_header, [])
    if x.query:
        try:
            x.query_keys, x.query = take_key(x.query, credentials.key_query)
        except TooManyKeysError:
            raise GatewayError(KEY_AMBIGUOUS) from None
    keys = x.header_keys + x.query_keys if x.query_keys else x.header_keys
    if keys:
        text = f"{x.path} {x.host} {x.query}"
        if len(keys) > 1 or "%" in text or keys[0] in text:
            _take_copies(x, keys, text, credentials)
    if ("%" in x.path or ";" in x.path) and _names_a_key(fold(decode(decode(x.path))), fold(credentials.key_query)):
        raise _misplaced(MALFORMED_PATH, credentials)


def _take_copies(x: Exchange, keys: list[str], text: str, credentials: Credentials) -> None:
    """`text` is all of `x` in which there might be copies."""
    try:
        secrets = secrets_of(keys)
        if not contains_secret(text.encode(errors="replace"), secrets):
            return
        x.query = drop_copies(x.query, secrets)
    except TooManyKeysError:
        raise GatewayError(KEY_AMBIGUOUS) from None
    if contains_secret(x.path.encode(errors="replace"), secrets):
        raise _misplaced(MALFORMED_PATH, credentials)
    if contains_secret(f"{x.host} {x.query}".encode(errors="replace"), secrets):  # in the query only what its separators cut in two
        raise _misplaced(MALFORMED_REQUEST, credentials)


def _names_a_key(path: str, name: str) -> bool:
    return any(f"{separator}{name}=" in path for separator in ";?&")


def _misplaced(fault: Fault, credentials: Credentials) -> GatewayError:
    return GatewayError(fault, developer_message=f"Send your API key in the {credentials.key_header} header field, and nowhere else.")


def identify(x: Exchange, credentials: Credentials, wall_s: float) -> Caller:
    """The caller behind the keys of the exchange. The header field wins over the URL, and any key over a certificate.

    Raises GatewayError: KEY_MISSING, KEY_AMBIGUOUS, MALFORMED_REQUEST for two organisations, and what the keyring says.
    """
    keys = x.header_keys
    secret = keys[0] if len(keys) == 1 and keys[0] else _secret(x)
    if secret is None:
        return credentials.keyring.certified(x.certificate_subject, _organization(x, credentials), wall_s)
    return credentials.keyring.find(secret, _organization(x, credentials), wall_s)


async def identify_stored(x: Exchange, credentials: Credentials, keys: StoredKeys, wall_s: float) -> Caller:
    """As `identify`, where keys are kept in Redis; raises what they say."""
    found = x.header_keys
    secret = found[0] if len(found) == 1 and found[0] else _secret(x)
    if secret is None:
        return await keys.certified(x.certificate_subject, _organization(x, credentials), wall_s, x.client)
    return await keys.find(secret, _organization(x, credentials), wall_s, x.client)


def _secret(x: Exchange) -> str | None:
    """The one key that counts; None where a certificate does instead."""
    keys = list(dict.fromkeys(filter(None, x.header_keys)) or dict.fromkeys(filter(None, x.query_keys)))
    if len(keys) > 1:
        raise GatewayError(KEY_AMBIGUOUS)
    if not keys and not x.certificate_subject:
        raise GatewayError(KEY_MISSING)
    return keys[0] if keys else None


def _organization(x: Exchange, credentials: Credentials) -> str | None:
    found = x.headers.getall(credentials.organization_header, [])
    if len(found) > 1 and len(set(found)) > 1:
        raise GatewayError(MALFORMED_REQUEST, developer_message=f"Send the {credentials.organization_header} header field once.")
    return (found[0] or None) if found else None


def authorize(caller: Caller, route: Route, method: str) -> None:
    """Raises GatewayError ROUTE_FORBIDDEN or METHOD_FORBIDDEN when the key may not do this. What the gateway tells is for everybody."""
    if caller.routes is not None and route.id not in caller.routes and route.upstream is not None:
        raise GatewayError(ROUTE_FORBIDDEN)
    if caller.methods is not None and method not in caller.methods and route.upstream is not None:
        raise GatewayError(METHOD_FORBIDDEN)
