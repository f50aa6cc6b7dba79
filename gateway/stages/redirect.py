"""Redirects to the same URL with https, for listeners that serve nothing else."""

from gateway.exchange import Exchange, Reply
from gateway.kernel.envelope.write import EMPTY_RESULT, success
from gateway.kernel.faults import MALFORMED_REQUEST, GatewayError
from gateway.kernel.http.response_headers import JSON_TYPE
from gateway.kernel.http.status_rules import NO_STORE

_HTTPS_PORT = 443


def redirect(x: Exchange, port: int) -> Reply:
    """Return a 308 to `port`, which keeps method and body.

    Keys have been removed from the query before, so that a key sent in plain text is not repeated. The edge has checked
    the syntax of the host and of the target. Raises GatewayError MALFORMED_REQUEST when there is no host.
    """
    host = x.host[: x.host.find("]") + 1] or x.host.partition(":")[0]
    if not host:
        raise GatewayError(
            MALFORMED_REQUEST, developer_message="This address redirects to https and needs a Host field for it."
        )
    location = f"https://{host}{'' if port == _HTTPS_PORT else f':{port}'}{x.path}{f'?{x.query}' if x.query else ''}"
    return Reply(308, [JSON_TYPE, NO_STORE, ("Location", location)], success(x.request_id, EMPTY_RESULT))
