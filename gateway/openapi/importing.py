"""Makes routes of the operations of a document."""

import re
from collections.abc import Collection, Iterable
from typing import Any, Literal, NamedTuple

from gateway.kernel.http import path_patterns
from gateway.openapi.model import ApiDocument, Operation
from gateway.settings.schema.values import METHODS

RequestMode = Literal["enforce", "shadow"]
_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9._:@-]+")
_NO_PARAMETER = re.compile(r"[^A-Za-z0-9_]+")
_LONGEST_ID = 128


class ImportOptions(NamedTuple):
    """What a person asks for: `prefix` is put before every path, `tags` choose operations, none of them chooses all.

    `request` is the mode in which requests are checked, None leaves them unchecked; `response` is the share of replies
    that is checked, as a configuration has it, "" for none. `file` is the name of the document in the routes.
    """

    upstream: str
    prefix: str = ""
    tags: Collection[str] = ()
    request: RequestMode | None = None
    file: str = ""
    response: str = ""


class ImportedRoutes(NamedTuple):
    """Routes as a configuration has them, and remarks on what could not be imported as it is."""

    routes: list[dict[str, Any]]
    remarks: list[str]


def routes_of(document: ApiDocument, options: ImportOptions) -> ImportedRoutes:
    """Return a route for each operation of `document`, in its order; those for HEAD, which goes with GET, come last."""
    found: list[dict[str, Any]] = []
    remarks: list[str] = []
    ids: set[str] = set()
    ways: dict[tuple[object, ...], str] = {}
    for operation in sorted(document.operations.values(), key=lambda each: each.method == "HEAD"):
        if options.tags and not set(operation.tags) & set(options.tags):
            continue
        where = f"{operation.position.source.name}:{operation.position.line}: {operation.id}"
        if operation.method not in METHODS:
            remarks.append(f"{where}: left out: {operation.method} is no method that routes have")
            continue
        try:
            path, changed = _path(f"{options.prefix or operation.base}{operation.path}")
            shape = tuple(each if isinstance(each, str) else None for each in path_patterns.parse(path))
        except ValueError as error:
            remarks.append(f"{where}: left out: {error}")
            continue
        if operation.method == "HEAD" and ("GET", *shape) in ways:
            remarks.append(f"{where}: left out: the route of {ways['GET', *shape]} answers HEAD, too")
            continue
        other = ways.setdefault((operation.method, *shape), operation.id)
        if other != operation.id:
            remarks.append(f"{where}: left out: {other} has the same method and path")
            continue
        if changed:
            remarks.append(f"{where}: its path is {path} here")
        found.append(_route(_id(operation.id, ids), path, operation, options))
    return ImportedRoutes(found, remarks)


def _route(identity: str, path: str, operation: Operation, options: ImportOptions) -> dict[str, Any]:
    route: dict[str, Any] = {
        "id": identity,
        "match": {"path": path, "methods": [operation.method]},
        "upstream": options.upstream,
    }
    if options.prefix:
        route["rewrite"] = {"strip_prefix": options.prefix} | ({"add_prefix": operation.base} if operation.base else {})
    if operation.open:
        route["auth"] = "none"
    limits = _limits(operation.rate_limit)
    if limits:
        route["limits"] = limits
    if options.request is not None:
        route["request"] = {"openapi": options.file, "operation": operation.id, "mode": options.request}
    if options.response and operation.responses:
        route["response"] = {"openapi": options.file, "operation": operation.id, "share": options.response}
    return {name: escaped(value) for name, value in route.items()}


def escaped(value: Any) -> Any:
    """Return `value` as a configuration has to have it, where a dollar sign is written twice."""
    if isinstance(value, dict):
        return {name: escaped(part) for name, part in value.items()}
    if isinstance(value, list):
        return [escaped(part) for part in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _limits(written: Any) -> list[dict[str, Any]]:
    """Return the limits that `x-rate-limit` asks for: one with `max` and `per`, or a list of such."""
    limits = written if isinstance(written, list) else [written]
    return [
        {"id": str(limit.get("id", "document")), "max": limit["max"], "per": str(limit["per"]), "scope": "route"}
        for limit in limits
        if isinstance(limit, dict) and isinstance(limit.get("max"), int) and isinstance(limit.get("per"), str)
    ]


def _path(template: str) -> tuple[str, bool]:
    """Return the pattern of a route for a template, and whether it says less than that."""
    segments: list[str] = []
    names: list[str] = []
    changed = False
    for written in template.split("/"):
        segment = written
        found = _TEMPLATE.findall(segment)
        if found:
            name = parameter_name("_".join(found))
            names.append(name)
            if names.count(name) > 1:
                name = f"{name}_{names.count(name)}"
            segment = f"{{{name}}}"
            changed |= segment != written
        segments.append(segment)
    return "/".join(segments), changed


def parameter_name(written: str) -> str:
    """Return the name that a parameter of a path has in the pattern of a route, where fewer characters are possible."""
    name = _NO_PARAMETER.sub("_", written) or "part"
    return name if name[0].isalpha() or name[0] == "_" else f"_{name}"


def _id(wanted: str, taken: set[str]) -> str:
    name = _UNNAMEABLE.sub("-", wanted).lstrip("._:@-")[:_LONGEST_ID] or "operation"
    made, number = name, 2
    while made in taken:
        made, number = f"{name[: _LONGEST_ID - 8]}-{number}", number + 1
    taken.add(made)
    return made


def named(routes: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return routes by id."""
    return {route["id"]: route for route in routes}
