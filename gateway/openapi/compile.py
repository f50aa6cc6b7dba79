"""Compiles what the routes of a configuration say about requests and replies."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import msgspec

from gateway.kernel.http import path_patterns
from gateway.kernel.http.path_patterns import Param
from gateway.openapi.decoding import ValueDecoder, decoder, decoder_of, properties_of
from gateway.openapi.drift.compile import reply_contract
from gateway.openapi.drift.reply_contract import ReplyContract
from gateway.openapi.importing import parameter_name
from gateway.openapi.load import load_document, load_schema
from gateway.openapi.model import ApiDocument, Operation, Parameter, Schema
from gateway.openapi.publish.exporting import PublishedDocument
from gateway.openapi.request_contract import BodyContract, RequestContract, body_kind
from gateway.openapi.schema_bounds import require_bounds
from gateway.openapi.strictness import for_requests, refusing_unknown
from gateway.openapi.validator import MissingExtraError, SchemaError, Validator
from gateway.settings import Config, ConfigError, Problem
from gateway.settings.checks.context import CheckContext
from gateway.settings.positions import Loc
from gateway.settings.schema.contracts import RequestSettings, ResponseSettings
from gateway.settings.schema.routing import RouteSettings
from gateway.settings.schema.values import did_you_mean

ReportProblem = Callable[[Loc, str, str], None]
Contract = TypeVar("Contract")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class Contracts(NamedTuple):
    """Those of requests and of replies by the ids of routes.

    `document` is what is served at `server.openapi_path`, None for none.
    """

    requests: dict[str, RequestContract]
    document: PublishedDocument | None = None
    replies: Mapping[str, ReplyContract] = MappingProxyType({})


class ContractCompiler:
    """Compiles contracts. Documents are read once, whatever number of routes they are for.

    `report` is given what is wrong with the value at a path below a route; `problem` what is wrong with a document.
    """

    def __init__(self, report: ReportProblem, problem: Callable[[Problem], None]) -> None:
        self._report = report
        self._problem = problem
        self._documents: dict[str, ApiDocument | None] = {}
        self._schemas: dict[str, ApiDocument | None] = {}

    def published(self, config: Config) -> PublishedDocument | None:
        """Return the document that is served, made with the documents that were read."""
        known = {**self._documents, **self._schemas}
        return None if config.server.openapi_path is None else PublishedDocument(config, known)

    def document(self, file: str) -> ApiDocument | None:
        """Return a document, None if it cannot be used, which is reported."""
        return self._read(self._documents, file, lambda name: load_document(name)[0])

    def _read(
        self, known: dict[str, ApiDocument | None], file: str, load: Callable[[str], ApiDocument]
    ) -> ApiDocument | None:
        if file not in known:
            known[file] = None
            try:
                known[file] = load(file)
            except ConfigError as error:
                for each in error.problems:
                    self._problem(each)
        return known[file]

    def request(self, loc: Loc, route: RouteSettings, wanted: RequestSettings) -> RequestContract | None:
        """Return the contract of a route's requests, None if it has a problem, which is reported."""
        if wanted.json_schema is not None:
            return self._of_schema(loc, route, wanted, wanted.json_schema)
        assert wanted.openapi is not None, "the schema of the configuration asks for the one or the other"
        document = self.document(wanted.openapi)
        if document is None:
            return None
        operation = self.operation(loc, route, document, wanted.operation)
        return None if operation is None else self._of_operation(loc, route, wanted, document, operation)

    def replies(self, loc: Loc, route: RouteSettings, wanted: ResponseSettings, config: Config) -> ReplyContract | None:
        """Return the contract of a route's replies, None if it has a problem, which is reported."""
        document = self.document(wanted.openapi)
        operation = None if document is None else self.operation(loc, route, document, wanted.operation)
        if document is None or operation is None:
            return None
        if not operation.responses:
            self._report((*loc, "operation"), f"`{document.file}` describes no replies of `{wanted.operation}`", "")
            return None
        content = [media for reply in operation.responses.values() for media in reply.content.values()]
        if not self._are_bounded(loc, document, [media.schema for media in content]):
            return None
        envelope, make = config.envelope_of(route), partial(self._validator, loc)
        return _or_none(lambda: reply_contract(document, operation, wanted, envelope, make))

    def operation(self, loc: Loc, route: RouteSettings, document: ApiDocument, wanted: str | None) -> Operation | None:
        """Return the operation of a route, None if the document does not have it, which is reported."""
        operation = document.operations.get(wanted or "")
        if operation is None:
            hint = did_you_mean(wanted or "", document.operations)
            self._report((*loc, "operation"), f"`{document.file}` has no operation `{wanted}`", hint)
        elif operation.method not in route.match.served:
            text = f"`{wanted}` is for {operation.method}, which is no method of this route"
            self._report((*loc, "operation"), text, "")
            return None
        return operation

    def _of_schema(self, loc: Loc, route: RouteSettings, wanted: RequestSettings, file: str) -> RequestContract | None:
        document = self._read(self._schemas, file, load_schema)
        if document is None:
            return None
        schema = document.root
        if not self._are_bounded(loc, document, [schema]):
            return None
        if wanted.unknown_fields == "refuse":
            document, (schema,) = refusing_unknown(document, [schema])
        make = self._maker(loc, document)
        properties = {"body": schema}
        return _or_none(
            lambda: RequestContract(
                methods=frozenset(_BODY_METHODS.intersection(route.match.served)),
                shadow=wanted.mode == "shadow",
                max_body_bytes=wanted.max_body,
                bodies={"application/json": BodyContract("json", make(properties, ["body"]))},
                without_body=make(properties, ["body"]),
            ),
        )

    def _of_operation(
        self, loc: Loc, route: RouteSettings, wanted: RequestSettings, document: ApiDocument, operation: Operation
    ) -> RequestContract | None:
        document, operation = for_requests(document, operation)
        body = operation.body
        content = {} if body is None else dict(body.content)
        schemas = [*(each.schema for each in operation.parameters), *(each.schema for each in content.values())]
        if not self._are_bounded(loc, document, schemas):
            return None
        if wanted.unknown_fields == "refuse":
            checked = [name for name in content if body_kind(name) != "opaque"]
            document, strict = refusing_unknown(document, [content[name].schema for name in checked])
            content |= {
                name: msgspec.structs.replace(content[name], schema=schema)
                for name, schema in zip(checked, strict, strict=True)
            }
        make = self._maker(loc, document)
        indexes = _indexes(route)
        at: dict[str, list[Parameter]] = {"path": [], "query": [], "header": []}
        for each in operation.parameters:
            if each.location in at and (each.location != "path" or parameter_name(each.name) in indexes):
                at[each.location].append(each)
        strict_query = wanted.unknown_query == "refuse"
        parts = {location: _object(parameters) for location, parameters in at.items() if parameters}
        if strict_query:
            parts["query"] = _object(at["query"], closed=True)
        needed = list(parts)
        with_body = ["body"] if body is not None and body.required else []
        read = {location: [decoder(each, document) for each in parameters] for location, parameters in at.items()}
        return _or_none(
            lambda: RequestContract(
                methods=frozenset({operation.method, "HEAD"} if operation.method == "GET" else {operation.method}),
                shadow=wanted.mode == "shadow",
                max_body_bytes=wanted.max_body,
                bodies={
                    name: BodyContract(
                        body_kind(name),
                        make(parts | ({} if body_kind(name) == "opaque" else {"body": media.schema}), needed),
                        _form_decoders(media.schema, document) if body_kind(name) == "form" else (),
                    )
                    for name, media in content.items()
                },
                without_body=make(parts, [*needed, *with_body]),
                segments=tuple((indexes[parameter_name(each.name)], each) for each in read["path"]),
                query=tuple(read["query"]),
                reads_query=bool(read["query"]) or strict_query,
                headers=tuple(read["header"]),
            ),
        )

    def _are_bounded(self, loc: Loc, document: ApiDocument, schemas: Iterable[Schema]) -> bool:
        try:
            require_bounds(schemas, document)
        except SchemaError as error:
            self._report(loc, f"`{document.file}` has a schema that cannot be used: {error}", "")
            return False
        return True

    def _maker(self, loc: Loc, document: ApiDocument) -> "Callable[[dict[str, Schema], list[str]], Validator]":
        def make(properties: dict[str, Schema], required: list[str]) -> Validator:
            schema: dict[str, Any] = {"type": "object", "properties": properties}
            if required:
                schema["required"] = required
            return self._validator(loc, document, schema)

        return make

    def _validator(self, loc: Loc, document: ApiDocument, schema: Schema) -> Validator:
        """Return a compiled schema of a document. Raises SchemaError for one that cannot be, which is reported."""
        try:
            return Validator(schema, document.reachable(schema))
        except SchemaError as error:
            position = document.patterns.get(error.pattern or "")
            if position is None:
                self._report(loc, f"`{document.file}` has a schema that cannot be used: {error}", "")
            else:
                self._problem(Problem(position.source.name, position.line, position.column, "", str(error)))
            raise


def _or_none(build: Callable[[], Contract]) -> Contract | None:
    """Return a contract, None if a schema cannot be compiled, which has been reported."""
    try:
        return build()
    except SchemaError:
        return None


def compile_contracts(config: Config) -> Contracts:
    """Return the contracts of a configuration. Raises ConfigError for what has changed since it was checked."""
    found: list[Problem] = []

    def report(loc: Loc, text: str, hint: str) -> None:
        found.append(Problem(".".join(map(str, loc)), 0, 0, "", text, hint))

    compiler = ContractCompiler(report, found.append)
    try:
        requests = {
            route.id: contract
            for route in config.routes
            if route.request is not None
            and (contract := compiler.request(("routes", route.id, "request"), route, route.request)) is not None
        }
        replies = {
            route.id: made
            for route in config.routes
            if route.response is not None
            and (made := compiler.replies(("routes", route.id, "response"), route, route.response, config)) is not None
        }
    except MissingExtraError as error:
        raise ConfigError([Problem("routes", 0, 0, "", error.TEXT, error.HINT)]) from None
    if found:
        raise ConfigError(found)
    return Contracts(requests, compiler.published(config), replies)


def unchecked(config: Config) -> Contracts:
    """Return no contracts. The document that is served knows nothing of those of services then."""
    return Contracts({}, None if config.server.openapi_path is None else PublishedDocument(config, {}))


def check_contracts(context: CheckContext) -> None:
    """Report everything that is wrong with the documents of a configuration, and with what its routes want of them."""
    compiler = ContractCompiler(context.report, context.append)
    for loc, route in context.entries("routes", context.config.routes):
        try:
            if route.request is not None:
                compiler.request((*loc, "request"), route, route.request)
            if route.response is not None:
                compiler.replies((*loc, "response"), route, route.response, context.config)
        except MissingExtraError as error:
            context.report(loc, error.TEXT, error.HINT)


def _object(parameters: Iterable[Parameter], *, closed: bool = False) -> Schema:
    """Return the schema of an object with a member for each parameter."""
    schema: dict[str, Any] = {"type": "object", "properties": {each.name: each.schema for each in parameters}}
    required = [each.name for each in parameters if each.required]
    if required:
        schema["required"] = required
    if closed:
        schema["additionalProperties"] = False
    return schema


def _indexes(route: RouteSettings) -> dict[str, int]:
    """Return where the parameters of a route's path are among the parts of a path that is split at slashes."""
    if route.match.path is None:
        return {}
    segments = path_patterns.parse(route.match.path)
    return {segment.name: index + 1 for index, segment in enumerate(segments) if isinstance(segment, Param)}


def _form_decoders(schema: Schema, document: ApiDocument) -> tuple[ValueDecoder, ...]:
    return tuple(decoder_of(name, part, document) for name, part in properties_of(schema, document).items())
