"""The endpoint that serves the OpenAPI document of the routes, as far as the caller may use them. It is not wrapped."""

from gateway.exchange import Exchange, Reply
from gateway.kernel.caching.storage import unmodified
from gateway.kernel.http.response_headers import JSON_TYPE, Line
from gateway.openapi.exporting import PublishedDocument
from gateway.openapi.model import Audience
from gateway.table import Caller, Route

_YAML_TYPE: Line = ("Content-Type", "application/yaml")
"""RFC 9512."""
_REVALIDATED: Line = ("Cache-Control", "private, no-cache")


async def openapi_endpoint(x: Exchange, route: Route, caller: Caller, document: PublishedDocument) -> Reply:
    """Return the document for `caller` as a reply, or 304 where the client has it already."""
    as_yaml = route.pattern.endswith(".yaml")
    audience = Audience(caller.plan, x.shows_key, caller.routes, caller.methods)
    body, tag = await document.of(audience, "yaml" if as_yaml else "json")
    fields = [("ETag", tag), _REVALIDATED]
    if unmodified(x.headers.get("If-None-Match"), None, tag, ""):
        return Reply(304, fields, b"")
    return Reply(200, [_YAML_TYPE if as_yaml else JSON_TYPE, *fields], body)
