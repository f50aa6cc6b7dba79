"""Makes one OpenAPI 3.1 document of all routes of a configuration, as callers see them.

What the document of a service says stands inside of what the gateway makes of it: paths are those of the routes,
replies are in the envelope, and errors have the codes of the gateway.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import yaml

from gateway import __version__
from gateway.kernel.http import path_patterns
from gateway.kernel.http.path_patterns import Param, Rest
from gateway.kernel.memo import Memo
from gateway.openapi.model import DEFINITION, ApiDocument, Audience, Operation, Response
from gateway.openapi.publish.envelope_schemas import (
    COMPONENT,
    ENVELOPE,
    HEADERS,
    SAMPLE_ID,
    SharedResponses,
    described_reply,
    enveloped,
    explained_codes,
    json_content,
)
from gateway.openapi.publish.page import page_files
from gateway.settings import Config
from gateway.settings.schema.routing import RouteSettings
from gateway.table.compile import build_faults

DocumentSource = Callable[[str], ApiDocument | None]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SPANS: dict[float, str] = {1: "a second", 60: "a minute", 3600: "an hour", 86400: "a day"}
_STYLES = {"simple": "simple", "form": "form", "space": "spaceDelimited", "pipe": "pipeDelimited", "deep": "deepObject"}


class Published(NamedTuple):
    """A document as it is sent, and its entity tag."""

    body: bytes
    tag: str


class PublishedDocument:
    """The document of the routes of a configuration, for everybody what it may use. `documents` are by file.

    `files` are those of the page that shows it, by their paths.
    """

    MOST = 32
    """Documents that are remembered, the newest ones."""

    def __init__(self, config: Config, documents: Mapping[str, ApiDocument | None]) -> None:
        self._config = config
        self._documents = documents
        self._known: Memo[tuple[Audience, str], Published] = Memo(self.MOST)
        self._making = asyncio.Lock()
        self.files = page_files(config)

    async def of(self, audience: Audience, form: Literal["json", "yaml"]) -> Published:
        """Return the document for `audience`, which is made once as long as it is remembered.

        It is made in a thread, one at a time: that takes a while for hundreds of routes.
        """
        known = self._known.get((audience, form))
        if known is None:
            async with self._making:
                known = self._known.get((audience, form))
                if known is None:
                    made = await asyncio.to_thread(self._make, audience, form)
                    known = self._known.keep((audience, form), made)
        return known

    def _make(self, audience: Audience, form: Literal["json", "yaml"]) -> Published:
        body = written(exported(self._config, self._documents.get, audience=audience), form).encode()
        return Published(body, f'"{sha256(body).hexdigest()[:32]}"')


def written(document: dict[str, Any], form: Literal["json", "yaml"]) -> str:
    """Return a document as text."""
    if form == "yaml":
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        separate = json.loads(json.dumps(document))  # parts that are one object would become anchors and aliases
        return yaml.dump(separate, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def exported(
    config: Config,
    source: DocumentSource,
    routes: Iterable[RouteSettings] | None = None,
    audience: Audience | None = None,
) -> dict[str, Any]:
    """Return the document of `routes`, None for all of them, as far as `audience` may use them; None: everything.

    `source` returns the documents that routes name, None for one that there is not.
    """
    return _Export(config, source, audience).document(config.routes if routes is None else routes)


class _Export:
    def __init__(self, config: Config, source: DocumentSource, audience: Audience | None) -> None:
        self._config = config
        self._audience = audience
        self._source = source
        self._schemas: dict[str, Any] = dict(ENVELOPE)
        self._names: dict[tuple[str, str], str] = {}
        self._faults = build_faults(config)
        self._responses = SharedResponses(self._faults)

    def document(self, routes: Iterable[RouteSettings]) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for route in sorted(routes, key=lambda each: each.match.path or each.match.prefix or ""):
            for method in route.match.methods:
                if self._audience is not None and not self._audience.may_use(route, method):
                    continue
                paths.setdefault(_template(route), {})[method.lower()] = self._operation(route, method)
        key = self._config.auth.key
        return {
            "openapi": "3.1.0",
            "jsonSchemaDialect": _DIALECT,
            "info": {"title": "API", "version": __version__, "description": self._limits()},
            "servers": [{"url": "/"}],
            "security": [{"keyInHeader": []}, {"keyInQuery": []}],
            "paths": paths,
            "x-error-codes": explained_codes(self._faults),
            "components": {
                "securitySchemes": {
                    "keyInHeader": {"type": "apiKey", "in": "header", "name": key.header},
                    "keyInQuery": {"type": "apiKey", "in": "query", "name": key.query},
                },
                "parameters": {
                    "organization": {
                        "name": self._config.auth.organization_header,
                        "in": "header",
                        "description": "The organisation that the call is for. Left out: the first one of the key.",
                        "schema": {"type": "string"},
                    }
                },
                "headers": HEADERS,
                "responses": self._responses.components,
                "schemas": self._schemas,
            },
        }

    def _limits(self) -> str:
        lines = ["Limits of the plans:", ""]
        for plan in self._config.plans:
            if self._audience is not None and plan.id != self._audience.plan:
                continue
            limits = [f"{limit.max} calls {_span(limit.per)}" for limit in plan.limits if not limit.shadow]
            lines.append(f"- {plan.id}: {', '.join(limits) or 'none'}")
        return "\n".join(lines)

    def _operation(self, route: RouteSettings, method: str) -> dict[str, Any]:
        document, operation = self._described(route, method)
        several = len(route.match.methods) > 1
        made: dict[str, Any] = {"operationId": f"{route.id}-{method.lower()}" if several else route.id}
        parameters: list[dict[str, Any]] = (
            [] if route.auth == "none" else [{"$ref": "#/components/parameters/organization"}]
        )
        known: set[str] = set()
        if document is not None and operation is not None:
            for name in ("summary", "description"):
                if getattr(operation, name):
                    made[name] = getattr(operation, name)
            if operation.tags:
                made["tags"] = list(operation.tags)
            if operation.deprecated:
                made["deprecated"] = True
            known = {each.name for each in operation.parameters if each.location == "path"}
            parameters += self._parameters(route, document, operation)
            if operation.body is not None:
                made["requestBody"] = {
                    "required": operation.body.required,
                    "content": self._content(document, operation.body.content),
                }
        parameters += [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _names(route)
            if name not in known
        ]
        if parameters:
            made["parameters"] = parameters
        limits = [limit for limit in route.limits_of(method) if not limit.shadow]
        if limits:
            made["x-rate-limit"] = [
                {"id": limit.id, "max": limit.max, "per": limit.model_dump(mode="json")["per"]} for limit in limits
            ]
        if route.auth == "none":
            made["security"] = []
        made["responses"] = self._replies(route, method, document, operation)
        return made

    def _described(self, route: RouteSettings, method: str) -> tuple[ApiDocument | None, Operation | None]:
        request = route.request
        if request is None or request.openapi is None:
            return None, None
        document = self._source(request.openapi)
        operation = None if document is None else document.operations.get(request.operation or "")
        return (document, operation) if operation is not None and operation.method == method else (None, None)

    def _parameters(self, route: RouteSettings, document: ApiDocument, operation: Operation) -> list[dict[str, Any]]:
        made = []
        for each in operation.parameters:
            if each.location == "path" and each.name not in _names(route):
                continue
            schema = self._schema(document, each.schema)
            parameter: dict[str, Any] = {"name": each.name, "in": each.location, "required": each.required}
            if each.style == "json":
                parameter["content"] = {"application/json": {"schema": schema}}
            else:
                parameter |= {"style": _STYLES.get(each.style, "form"), "explode": each.explode, "schema": schema}
            made.append(parameter | ({"description": each.description} if each.description else {}))
        return made

    def _content(self, document: ApiDocument, content: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {"schema": self._schema(document, media.schema)}
            | ({"example": media.examples[0]} if media.examples else {})
            for name, media in content.items()
        }

    def _replies(
        self, route: RouteSettings, method: str, document: ApiDocument | None, operation: Operation | None
    ) -> dict[str, Any]:
        described: dict[str, Response] = {} if operation is None else operation.responses
        made: dict[str, Any] = {}
        for status, response in described.items():
            if status[0] in "23":
                assert document is not None
                made[status] = self._success(route, method, document, response, status)
        if not made:
            made["2XX"] = self._responses.success()
        return made | self._responses.errors(route)

    def _success(
        self, route: RouteSettings, method: str, document: ApiDocument, response: Response, status: str
    ) -> dict[str, Any]:
        description = response.description or "What the service answers."
        if status in {"204", "205", "304"} or method == "HEAD":
            return described_reply(description, {})
        if self._config.envelope_of(route).mode == "passthrough":
            return described_reply(description, self._content(document, response.content))
        media = next((each for name, each in response.content.items() if "json" in name), None)
        result: Any = {} if media is None else self._schema(document, media.schema)
        made = json_content(enveloped(result))
        if media is not None and media.examples:
            example = {"result": media.examples[0]}
            made["application/json"]["example"] = {"requestId": SAMPLE_ID, "status": "SUCCESS", "data": example}
        return described_reply(description, made)

    def _schema(self, document: ApiDocument, schema: Any) -> Any:
        """Return a schema whose references lead to the components of the document that is made."""
        if isinstance(schema, list):
            return [self._schema(document, part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        return {
            name: self._component(document, part.removeprefix(DEFINITION))
            if name == "$ref" and isinstance(part, str)
            else self._schema(document, part)
            for name, part in schema.items()
        }

    def _component(self, document: ApiDocument, name: str) -> str:
        key = (document.file, name)
        if key not in self._names:
            made, number = name, 2
            while made in self._schemas:
                made, number = f"{name}-{number}", number + 1
            self._names[key] = made
            self._schemas[made] = True
            self._schemas[made] = self._schema(document, document.schemas[name])
        return f"{COMPONENT}{self._names[key]}"


def _template(route: RouteSettings) -> str:
    """Return the path of a route as OpenAPI has it: what a prefix covers is one more parameter."""
    if route.match.path is None:
        return f"{(route.match.prefix or '').rstrip('/')}/{{rest}}"
    return route.match.path.replace("*}", "}")


def _span(seconds: float) -> str:
    return _SPANS.get(seconds, f"in {seconds:g} s")


def _names(route: RouteSettings) -> list[str]:
    if route.match.path is None:
        return ["rest"]
    return [each.name for each in path_patterns.parse(route.match.path) if isinstance(each, Param | Rest)]
