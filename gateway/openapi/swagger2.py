"""Reads the operations of a Swagger 2 document."""

from typing import Any, cast, get_args

import msgspec

from gateway.openapi.documents import Node
from gateway.openapi.model import (
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    ParameterStyle,
    RequestBody,
    Response,
    ResponseField,
    Schema,
)
from gateway.openapi.operations import OperationReader
from gateway.openapi.schemas import plain

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_STYLES: dict[str, ParameterStyle] = {"csv": "form", "ssv": "space", "pipes": "pipe", "tsv": "tab", "multi": "form"}


class Version2Reader(OperationReader):
    """Reads the operations of Swagger 2."""

    def base(self, item: Node, node: Node) -> str:  # noqa: ARG002  Swagger 2 has one base path for all
        return self.root.text("basePath").rstrip("/")

    def complete(self, operation: Operation, node: Node, parameters: list[Node]) -> Operation:
        found: dict[tuple[str, str], Parameter] = {}
        form: dict[str, tuple[Schema, bool]] = {}
        body: RequestBody | None = None
        consumes = self._media_types(node, "consumes")
        for written in parameters:
            parameter = self.documents.follow(written)
            if parameter is None:
                continue
            name, location = parameter.text("name"), parameter.text("in")
            if location == "body":
                schema = parameter.below("schema")
                made: Schema = True if schema is None else self.schemas.convert(schema)
                content = {each: MediaType(made) for each in consumes or (_JSON,)}
                body = RequestBody(parameter.flag("required"), content, parameter.text("description"))
            elif not name or location not in {*get_args(ParameterLocation), "formData"}:
                self.documents.report(
                    parameter, "a parameter has a `name`, and `in`: path, query, header, formData or body"
                )
            elif location == "formData":
                form[name] = (self.schemas.convert(parameter), parameter.flag("required"))
            elif not (location == "header" and name.lower() in {"accept", "content-type", "authorization"}):
                found[location, name] = self._parameter(parameter, name, cast(ParameterLocation, location))
        if form:
            body = _form(form, [each for each in consumes if each in {_FORM, _MULTIPART}] or [_FORM])
        produces = self._media_types(node, "produces") or (_JSON,)
        return msgspec.structs.replace(
            operation,
            parameters=tuple(found.values()),
            body=body,
            responses={status: self._response(response, produces) for status, response in self.responses(node)},
        )

    def _media_types(self, node: Node, name: str) -> tuple[str, ...]:
        for owner in (node, self.root):
            written = owner.below(name)
            if written is not None and isinstance(written.value, list):
                return tuple(str(each).partition(";")[0].strip().lower() for each in written.value)
        return ()

    def _parameter(self, node: Node, name: str, location: ParameterLocation) -> Parameter:
        collection = node.text("collectionFormat") or "csv"
        style = _STYLES.get(collection, "form") if location == "query" else "simple"
        return Parameter(
            name,
            location,
            node.flag("required") or location == "path",
            self.schemas.convert(node),
            style,
            collection == "multi",
            node.text("description"),
            example=plain(node.value.get("x-example")),
        )

    def _response(self, node: Node, produces: tuple[str, ...]) -> Response:
        schema = node.below("schema")
        content: dict[str, MediaType] = {}
        if schema is not None:
            made = self.schemas.convert(schema)
            examples = node.below("examples")
            shown: dict[str, Any] = {} if examples is None else dict(examples.value)
            content = {each: MediaType(made, (plain(shown[each]),) if each in shown else ()) for each in produces}
        headers = node.below("headers")
        fields = {
            name: ResponseField(self.schemas.convert(entry), description=entry.text("description"))
            for name, entry in ([] if headers is None else headers.entries())
        }
        return Response(node.text("description"), content, fields)


def _form(fields: dict[str, tuple[Schema, bool]], consumes: list[str]) -> RequestBody:
    required = [name for name, (_, needed) in fields.items() if needed]
    schema: dict[str, Any] = {"type": "object", "properties": {name: made for name, (made, _) in fields.items()}}
    if required:
        schema["required"] = required
    return RequestBody(bool(required), {each: MediaType(schema) for each in consumes})
