"""Makes one OpenAPI 3.1 document of all routes of a configuration, as callers see them.

What the document of a service says stands inside of what the gateway makes of it: paths are those of the routes,
replies are in the envelope, and errors have the codes of the gateway.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import yaml

from gateway import __version__
from gateway.kernel.memo import Memo
from gateway.openapi.model import EVERYBODY, ApiDocument, Audience
from gateway.openapi.publish.components import Components
from gateway.openapi.publish.envelope_schemas import HEADERS, explained_codes, limit_headers
from gateway.openapi.publish.operations import DocumentSource, OperationMaker, organization_parameter
from gateway.openapi.publish.page import page_files
from gateway.openapi.publish.path_items import PathItem, path_items
from gateway.openapi.publish.possible_errors import PossibleErrors
from gateway.openapi.publish.replies import Replies
from gateway.openapi.publish.visibility import Visibility
from gateway.settings import Config
from gateway.settings.schema.access import KeySettings, Organization, Plan
from gateway.settings.schema.routing import RouteSettings
from gateway.table.compile import build_faults
from gateway.table.limits import WINDOW_NAMES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SPANS: dict[float, str] = {1: "a second", 60: "a minute", 3600: "an hour", 86400: "a day"}


class Published(NamedTuple):
    """A document as it is sent, and its entity tag."""

    body: bytes
    tag: str


class PublishedDocument:
    """The document of the routes of a configuration, for everybody what it may use. `documents` are by file.

    `files` are those of the page that shows it, by their paths. `visibility` says what can be reached from where.
    """

    MOST = 32
    """Documents that are remembered, the newest ones."""

    def __init__(self, config: Config, documents: Mapping[str, ApiDocument | None]) -> None:
        self._config = config
        self._documents = documents
        self._known: Memo[tuple[Audience, str], Published] = Memo(self.MOST)
        self._making = asyncio.Lock()
        self.files = page_files(config)
        self.visibility = Visibility(config)

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
    audience: Audience = EVERYBODY,
) -> dict[str, Any]:
    """Return the document of `routes`, None for all of them, as far as `audience` may use them.

    `source` returns the documents that routes name, None for one that there is not.
    """
    items = path_items(config.routes if routes is None else routes, audience)
    return _Export(config, source, audience).document(items)


class _Export:
    def __init__(self, config: Config, source: DocumentSource, audience: Audience) -> None:
        self._config = config
        self._audience = audience
        self._faults = build_faults(config)
        self._limits = limit_headers(_window_names(config, audience))
        self._components = Components()
        self._replies = Replies(config, self._components.schema, tuple(self._limits))
        self._operations = OperationMaker(
            config, source, audience, self._components, self._replies, PossibleErrors(config, self._faults, audience)
        )

    def document(self, items: Iterable[PathItem]) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for item in items:
            paths.setdefault(item.template, {})[item.method.lower()] = self._operations.make(item)
        config, key = self._config, self._config.auth.key
        return {
            "openapi": "3.1.0",
            "jsonSchemaDialect": _DIALECT,
            "info": {"title": "API", "version": __version__, "description": self._description()},
            "servers": [{"url": "/"}],
            "security": [{"keyInHeader": []}, {"keyInQuery": []}],
            "paths": paths,
            "x-error-codes": explained_codes(self._faults),
            "components": {
                "securitySchemes": {
                    "keyInHeader": {"type": "apiKey", "in": "header", "name": key.header},
                    "keyInQuery": {"type": "apiKey", "in": "query", "name": key.query},
                },
                "parameters": {"organization": organization_parameter(config)},
                "headers": {
                    config.observability.request_id.header: {
                        "description": "The id of this call.",
                        "schema": {"type": "string", "format": "uuid"},
                    },
                    **self._limits,
                    **HEADERS,
                },
                "responses": self._replies.components,
                "schemas": self._components.schemas,
            },
        }

    def _description(self) -> str:
        lines = ["Limits of the plans:", ""]
        for plan in self._config.plans:
            if self._audience.plan in {None, plan.id}:
                limits = [f"{limit.max} calls {_span(limit.per)}" for limit in plan.limits if not limit.shadow]
                lines.append(f"- {plan.id}: {', '.join(limits) or 'none'}")
        return "\n".join(lines)


def _window_names(config: Config, audience: Audience) -> list[str]:
    """Return the names of windows that callers meet, for the names of header fields."""
    plans = [plan for plan in config.plans if audience.plan in {None, plan.id}]
    owners: tuple[Plan | Organization | RouteSettings | KeySettings, ...]
    owners = (*plans, *config.organizations, *config.routes, *config.keys.plain)
    lengths = {round(limit.per * 1e6) for owner in owners for limit in owner.limits if not limit.shadow}
    return [name for length, name in WINDOW_NAMES.items() if length in lengths]


def _span(seconds: float) -> str:
    return _SPANS.get(seconds, f"in {seconds:g} s")
