"""Reads the operations of an OpenAPI 3 document."""

import re
from abc import ABC, abstractmethod
from typing import Any, cast, get_args
from urllib.parse import urlsplit

import msgspec

from gateway.openapi.documents import Documents, Node
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
from gateway.openapi.schemas import SchemaBundle, plain

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9]+")
_STATUS = re.compile(r"[1-5](?:[0-9]{2}|XX)")
_STYLES: dict[str, ParameterStyle] = {
    "simple": "simple",
    "form": "form",
    "spaceDelimited": "space",
    "pipeDelimited": "pipe",
    "deepObject": "deep",
}
_DEFAULT_STYLE: dict[ParameterLocation, str] = {"path": "simple", "header": "simple", "query": "form", "cookie": "form"}


class OperationReader(ABC):
    """Reads what all versions have in common: paths, methods, names and shared parameters."""

    def __init__(self, root: Node, documents: Documents, schemas: SchemaBundle) -> None:
        self.root = root
        self.documents = documents
        self.schemas = schemas
        self._ids: dict[str, Node] = {}

    def read(self) -> dict[str, Operation]:
        """Return all operations by id."""
        found: dict[str, Operation] = {}
        paths = self.root.below("paths")
        for path, entry in [] if paths is None else paths.entries():
            if path.startswith("x-"):
                continue
            if not path.startswith("/"):
                self.documents.report_key(entry, "a path begins with `/`")
                continue
            item = self.documents.follow(entry)
            for name, node in [] if item is None else item.entries():
                if name in METHODS and item is not None and (target := self.documents.follow(node)) is not None:
                    operation = self._operation(name.upper(), path, item, target)
                    if operation is not None:
                        found[operation.id] = operation
        self.schemas.finish()
        return found

    def _operation(self, method: str, path: str, item: Node, node: Node) -> Operation | None:
        identity = self._id(method, path, node)
        if not isinstance(node.value, dict) or identity is None:
            if not isinstance(node.value, dict):
                self.documents.report(node, "an operation is wanted here, which is a mapping")
            return None
        tags = node.value.get("tags")
        shared, own = item.below("parameters"), node.below("parameters")
        return self.complete(
            Operation(
                id=identity,
                method=method,
                path=path,
                base=self.base(item, node),
                position=node.position,
                summary=node.text("summary") or item.text("summary"),
                description=node.text("description"),
                tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
                deprecated=node.flag("deprecated"),
                open=self._is_open(node),
                rate_limit=plain(node.value.get("x-rate-limit", self.root.value.get("x-rate-limit"))),
            ),
            node,
            [*(shared.items() if shared else ()), *(own.items() if own else ())],
        )

    def _id(self, method: str, path: str, node: Node) -> str | None:
        """Return the id of an operation, made from method and path if it has none; None if it is another one's."""
        identity = node.text("operationId") or "-".join(
            [method.lower(), *filter(None, (_UNNAMEABLE.sub("-", part).strip("-") for part in path.split("/")))]
        )
        other = self._ids.setdefault(identity, node)
        if other is node:
            return identity
        where = f"{other.file}:{other.position.line}"
        named = node.below("operationId")
        if named is None:
            number = 2
            while f"{identity}-{number}" in self._ids:
                number += 1
            self._ids[f"{identity}-{number}"] = node
            return f"{identity}-{number}"
        self.documents.report(named, f"`{identity}` is the id of another operation, in {where}")
        return None

    def _is_open(self, node: Node) -> bool:
        """Return whether an operation can be called without credentials."""
        wanted = node.below("security") or self.root.below("security")
        return wanted is not None and isinstance(wanted.value, list) and (not wanted.value or {} in wanted.value)

    @abstractmethod
    def base(self, item: Node, node: Node) -> str:
        """Return the path below which the operation is."""
        ...

    @abstractmethod
    def complete(self, operation: Operation, node: Node, parameters: list[Node]) -> Operation:
        """Return `operation` with its parameters, body and responses."""
        ...

    def responses(self, node: Node) -> list[tuple[str, Node]]:
        """Return the responses of an operation by status; what is no status is reported."""
        found = []
        written = node.below("responses")
        for status, entry in [] if written is None else written.entries():
            if status.startswith("x-"):
                continue
            if status != "default" and not _STATUS.fullmatch(status.upper()):
                self.documents.report_key(
                    entry, f"`{status}` is no status; write one such as `200`, `4XX` or `default`"
                )
                continue
            response = self.documents.follow(entry)
            if response is not None:
                found.append((status if status == "default" else status.upper(), response))
        return found


class Version3Reader(OperationReader):
    """Reads the operations of OpenAPI 3.0 and 3.1."""

    def base(self, item: Node, node: Node) -> str:
        for owner in (node, item, self.root):
            servers = owner.below("servers")
            first = servers.below(0) if servers is not None else None
            if first is not None:
                return self._server_path(first)
        return ""

    def _server_path(self, server: Node) -> str:
        def value(match: re.Match[str]) -> str:
            default = server.below("variables", match[1], "default")
            return "" if default is None else str(default.value)

        try:
            return urlsplit(_VARIABLE.sub(value, server.text("url"))).path.rstrip("/")
        except ValueError:
            self.documents.report(server, "the `url` of this server is not a URL")
            return ""

    def complete(self, operation: Operation, node: Node, parameters: list[Node]) -> Operation:
        found = {
            (made.location, made.name): made
            for parameter in parameters
            if (target := self.documents.follow(parameter)) is not None
            and (made := self._parameter(target)) is not None
        }
        written = node.below("requestBody")
        body = self.documents.follow(written) if written is not None else None
        return msgspec.structs.replace(
            operation,
            parameters=tuple(found.values()),
            body=None
            if body is None
            else RequestBody(body.flag("required"), self._content(body), body.text("description")),
            responses={status: self._response(response) for status, response in self.responses(node)},
        )

    def _parameter(self, node: Node) -> Parameter | None:
        name, location = node.text("name"), node.text("in")
        if not name or location not in get_args(ParameterLocation):
            self.documents.report(node, "a parameter has a `name`, and `in`: path, query, header or cookie")
            return None
        location = cast(ParameterLocation, location)
        if location == "header" and name.lower() in {"accept", "content-type", "authorization"}:
            return None  # OpenAPI 4.8.12: these are described elsewhere
        content, schema = node.below("content"), node.below("schema")
        style = _STYLES.get(node.text("style") or _DEFAULT_STYLE[location], "simple")
        made: Schema = True if schema is None else self.schemas.convert(schema)
        if content is not None and content.entries():
            below = content.entries()[0][1].below("schema")
            made, style = True if below is None else self.schemas.convert(below), "json"
        explode = node.value.get("explode")
        examples = self._examples(node)
        return Parameter(
            name,
            location,
            node.flag("required") or location == "path",
            made,
            style,
            explode if isinstance(explode, bool) else style == "form",
            node.text("description"),
            node.flag("deprecated"),
            examples[0] if examples else None,
        )

    def _content(self, node: Node) -> dict[str, MediaType]:
        found: dict[str, MediaType] = {}
        content = node.below("content")
        for name, media in [] if content is None else content.entries():
            schema = media.below("schema")
            made: Schema = True if schema is None else self.schemas.convert(schema)
            found[name.partition(";")[0].strip().lower()] = MediaType(made, self._examples(media))
        return found

    def _examples(self, node: Node) -> tuple[Any, ...]:
        found = []
        if isinstance(node.value, dict) and "example" in node.value:
            found.append(plain(node.value["example"]))
        named = node.below("examples")
        for _, entry in [] if named is None else named.entries():
            example = self.documents.follow(entry)
            if example is not None and isinstance(example.value, dict) and "value" in example.value:
                found.append(plain(example.value["value"]))
        return tuple(found)

    def _response(self, node: Node) -> Response:
        fields: dict[str, ResponseField] = {}
        headers = node.below("headers")
        for name, entry in [] if headers is None else headers.entries():
            header = self.documents.follow(entry)
            if header is not None:
                schema = header.below("schema")
                made: Schema = True if schema is None else self.schemas.convert(schema)
                fields[name] = ResponseField(made, header.flag("required"), header.text("description"))
        return Response(node.text("description"), self._content(node), fields)
