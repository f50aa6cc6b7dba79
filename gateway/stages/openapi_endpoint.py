"""The endpoint that serves the OpenAPI document of the routes, as far as the caller may use them, and its page.

Neither is wrapped.
"""

from gateway.exchange import Exchange, Reply
from gateway.kernel.caching.storage import unmodified
from gateway.kernel.http.response_headers import JSON_TYPE, Line
from gateway.openapi.model import Audience
from gateway.table import Caller, Route

_YAML_TYPE: Line = ("Content-Type", "application/yaml")
"""RFC 9512."""
_REVALIDATED: Line = ("Cache-Control", "private, no-cache")


async def openapi_endpoint(x: Exchange, route: Route, caller: Caller) -> Reply:
    """Return the file of `route`, or else its document for `caller`; 304 where the client has it already."""
    if route.file is not None:
        return _answered(x, route.file.tag, list(route.file.fields), route.file.body)
    as_yaml = route.pattern.endswith(".yaml")
    hosts, hidden = route.document.visibility.of(x.host, route.match_listener, x.client)
    listener = route.match_listener or None
    audience = Audience(caller.plan, x.shows_key, caller.routes, caller.methods, hosts, listener, hidden)
    body, tag = await route.document.of(audience, "yaml" if as_yaml else "json")
    return _answered(x, tag, [_YAML_TYPE if as_yaml else JSON_TYPE, ("ETag", tag), _REVALIDATED], body)


def _answered(x: Exchange, tag: str, fields: list[Line], body: bytes) -> Reply:
    """Return the reply, of whose `fields` the first is the type."""
    if unmodified(x.headers.get("If-None-Match"), None, tag, ""):
        return Reply(304, fields[1:], b"")
    return Reply(200, fields, body)
