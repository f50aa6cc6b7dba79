"""Who calls: the key in header or URL, the organisation, and whether they may."""

from gateway.exchange import Exchange
from gateway.kernel.faults import KEY_AMBIGUOUS, KEY_MISSING, MALFORMED_PATH, METHOD_FORBIDDEN, ROUTE_FORBIDDEN, GatewayError
from gateway.kernel.query import decode, fold, take_key
from gateway.table import Caller, Credentials, Route


def take_credentials(x: Exchange, credentials: Credentials) -> None:
    """Note the keys that came with the exchange, and take them out of its query for good.

    Raises GatewayError MALFORMED_PATH when a part of the path is called like the key: it would reach the upstream.
    """
    if x.query:
        x.query_keys, x.query = take_key(x.query, credentials.key_query)
    x.header_keys = x.headers.getall(credentials.key_header, [])
    if ("%" in x.path or ";" in x.path) and f"{fold(credentials.key_query)}=" in fold(decode(decode(x.path))):
        raise GatewayError(
            MALFORMED_PATH, developer_message=f"Send your API key in the {credentials.key_header} header field, not in the path."
        )


def identify(x: Exchange, credentials: Credentials, wall_s: float) -> Caller:
    """The caller behind the keys of the exchange. The header field wins over the URL, and any key over a certificate.

    Raises GatewayError: KEY_MISSING, KEY_AMBIGUOUS, and what the keyring says of the key and the organisation.
    """
    keys = x.header_keys
    if len(keys) != 1 or not keys[0]:
        keys = list(dict.fromkeys(filter(None, x.header_keys)) or dict.fromkeys(filter(None, x.query_keys)))
        if not keys:
            if not x.certificate_subject:
                raise GatewayError(KEY_MISSING)
            return credentials.keyring.certified(x.certificate_subject, _organization(x, credentials), wall_s)
        if len(keys) > 1:
            raise GatewayError(KEY_AMBIGUOUS)
    return credentials.keyring.find(keys[0], _organization(x, credentials), wall_s)


def _organization(x: Exchange, credentials: Credentials) -> str | None:
    return x.headers.get(credentials.organization_header) or None


def authorize(caller: Caller, route: Route, method: str) -> None:
    """Raises GatewayError ROUTE_FORBIDDEN or METHOD_FORBIDDEN when the key may not do this."""
    if caller.routes is not None and route.id not in caller.routes:
        raise GatewayError(ROUTE_FORBIDDEN)
    if caller.methods is not None and method not in caller.methods:
        raise GatewayError(METHOD_FORBIDDEN)
