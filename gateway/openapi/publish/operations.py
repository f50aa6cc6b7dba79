"""Makes the operations of a document of routes, with what the documents of services say about them."""

from collections.abc import Callable
from typing import Any, TypeAlias

from gateway.openapi.importing import parameter_name
from gateway.openapi.model import ApiDocument, Audience, Operation, Parameter
from gateway.openapi.publish.components import Components
from gateway.openapi.publish.envelope_schemas import json_content
from gateway.openapi.publish.path_items import PathItem
from gateway.openapi.publish.possible_errors import ONCE_ONLY, PossibleErrors
from gateway.openapi.publish.replies import Replies
from gateway.settings import Config
from gateway.settings.schema.routing import RouteSettings

DocumentSource: TypeAlias = Callable[[str], ApiDocument | None]
"""Returns what is in a file that a route names: an OpenAPI document, or a JSON Schema as `root`; None: unusable."""
_STYLES = {"simple": "simple", "form": "form", "space": "spaceDelimited", "pipe": "pipeDelimited", "deep": "deepObject"}
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_ORGANIZATION = {"$ref": "#/components/parameters/organization"}


def organization_parameter(config: Config) -> dict[str, Any]:
    """Return the parameter by which a caller chooses another of its organisations."""
    return {
        "name": config.auth.organization_header,
        "in": "header",
        "required": False,
        "description": "The organisation that the call is for. Left out: the first one of the key.",
        "schema": {"type": "string"},
    }


class OperationMaker:
    """Makes operations for `audience`. `source` returns the documents that routes name, None for one that is not."""

    def __init__(
        self,
        config: Config,
        source: DocumentSource,
        audience: Audience,
        components: Components,
        replies: Replies,
        errors: PossibleErrors,
    ) -> None:
        self._config = config
        self._source = source
        self._audience = audience
        self._components = components
        self._replies = replies
        self._errors = errors
        secure = any(each.tls is not None or each.trusted_proxies for each in config.server.listeners)
        self._scheme = "https" if secure else "http"

    def make(self, item: PathItem) -> dict[str, Any]:
        """Return the operation."""
        route, method = item.route, item.method
        described = self._described(route, method)
        made: dict[str, Any] = {"operationId": _operation_id(item)}
        if described is not None:
            made |= _texts(described[1])
        if item.rivals:
            made["description"] = "\n\n".join(filter(None, [made.get("description"), *map(_mention, item.rivals)]))
        host = route.match.host
        if host is not None and host not in self._audience.hosts:
            made["servers"] = [self._server(host)]
        parameters = self._parameters(item, described)
        if parameters:
            made["parameters"] = parameters
        if described is not None and described[1].body is not None:
            made["requestBody"] = self._body(*described)
        elif described is None and method in _BODY_METHODS and (body := self._body_by_schema(route)) is not None:
            made["requestBody"] = body
        limits = [limit for limit in route.limits_of(method) if not limit.shadow]
        if limits:
            made["x-rate-limit"] = [
                {"id": limit.id, "max": limit.max, "per": limit.model_dump(mode="json")["per"]} for limit in limits
            ]
        if route.auth == "none":
            made["security"] = []
        made["responses"] = self._replies.of(route, method, described, self._errors.of(route, method))
        return made

    def _described(self, route: RouteSettings, method: str) -> tuple[ApiDocument, Operation] | None:
        """Return what documents say of the calls of a route, None if none does."""
        for named in (route.request, route.response):
            if named is None or named.openapi is None:
                continue
            document = self._source(named.openapi)
            operation = None if document is None else document.operations.get(named.operation or "")
            if document is not None and operation is not None and operation.method == method:
                return document, operation
        return None

    def _server(self, host: str) -> dict[str, Any]:
        """Return the server at a host other than that of the document."""
        if not host.startswith("*."):
            return {"url": f"{self._scheme}://{host}/"}
        return {"url": f"{self._scheme}://{{name}}{host[1:]}/", "variables": {"name": {"default": "www"}}}

    def _parameters(self, item: PathItem, described: tuple[ApiDocument, Operation] | None) -> list[dict[str, Any]]:
        """Return the parameters of the gateway, and those of the service that the gateway does not have itself."""
        route = item.route
        made: list[dict[str, Any]] = [] if route.auth == "none" else [_ORGANIZATION]
        made += [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string", "enum": [value]}}
            for name, value in route.match.headers.items()
        ]
        if route.idempotency is not None and item.method in ONCE_ONLY:
            text = (
                "A key of your choice. A call that is sent again with it is answered with the reply to the first one."
            )
            schema = {"type": "string", "minLength": 1, "maxLength": 255}
            name = route.idempotency.header
            made.append({"name": name, "in": "header", "required": False, "description": text, "schema": schema})
        auth = self._config.auth
        taken = {each["name"].lower() for each in made if "name" in each}
        taken |= {auth.organization_header.lower(), auth.key.header.lower()}
        known: set[str] = set()
        if described is not None:
            for each in described[1].parameters:
                own = parameter_name(each.name)
                if each.location == "path" and own not in item.names:
                    continue
                if (each.location == "header" and each.name.lower() in taken) or each.name == auth.key.query:
                    continue
                known |= {own} if each.location == "path" else set()
                made.append(self._parameter(described[0], each, item.names.get(own, each.name)))
        return made + [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for own, name in item.names.items()
            if own not in known
        ]

    def _parameter(self, document: ApiDocument, each: Parameter, path_name: str) -> dict[str, Any]:
        schema = self._components.schema(document, each.schema)
        name = path_name if each.location == "path" else each.name
        made: dict[str, Any] = {"name": name, "in": each.location, "required": each.required}
        if each.style == "json":
            made["content"] = {"application/json": {"schema": schema}}
        else:
            made |= {"style": _STYLES.get(each.style, "form"), "explode": each.explode, "schema": schema}
        if each.description:
            made["description"] = each.description
        if each.deprecated:
            made["deprecated"] = True
        if each.example is not None and each.style != "json":
            made["example"] = each.example
        return made

    def _body_by_schema(self, route: RouteSettings) -> dict[str, Any] | None:
        """Return the body of calls of a route that names a JSON Schema for it."""
        file = None if route.request is None else route.request.json_schema
        document = None if file is None else self._source(file)
        if document is None:
            return None
        return {"required": True, "content": json_content(self._components.schema(document, document.root))}

    def _body(self, document: ApiDocument, operation: Operation) -> dict[str, Any]:
        body = operation.body
        assert body is not None, "asked for where there is one"
        content = {
            name: {"schema": self._components.schema(document, media.schema)}
            | ({"example": media.examples[0]} if media.examples else {})
            for name, media in body.content.items()
        }
        made: dict[str, Any] = {"required": body.required, "content": content}
        return made | ({"description": body.description} if body.description else {})


def _operation_id(item: PathItem) -> str:
    several = len(item.route.match.methods) > 1
    made = f"{item.route.id}-{item.method.lower()}" if several else item.route.id
    return f"{made}-{item.depth + 1}" if item.depth else made


def _texts(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {name: getattr(operation, name) for name in ("summary", "description")}
    made = {name: text for name, text in made.items() if text}
    if operation.tags:
        made["tags"] = list(operation.tags)
    if operation.deprecated:
        made["deprecated"] = True
    return made


def _mention(rival: RouteSettings) -> str:
    """Return a sentence about a route for the same path and method that a document cannot show beside another one."""
    match = rival.match
    fields = [f"`{name}: {value}`" for name, value in match.headers.items()]
    host = [] if match.host is None else [f"the host {match.host}"]
    listener = [] if match.listener is None else [f"the listener {match.listener}"]
    return f"With {' and '.join([*fields, *host, *listener]) or 'other conditions'} this is `{rival.id}`."
