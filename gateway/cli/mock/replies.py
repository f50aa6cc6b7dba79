"""Chooses the reply to a request from OpenAPI documents."""

import json
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from gateway.openapi.model import ApiDocument, MediaType, Operation, Response
from gateway.openapi.sample_values import sample_value

_PREFERRED = re.compile(r"\bstatus=([1-5]\d\d)\b")
_NO_OPERATION = json.dumps({"title": "Not found", "detail": "No operation of the documents has this path."}).encode()
_NO_METHOD = json.dumps({"title": "Not allowed", "detail": "No operation of this path has this method."}).encode()
_PROBLEM = "application/problem+json"


class MockReply(NamedTuple):
    """A reply. `fields` have their values as text."""

    status: int
    media_type: str
    body: bytes
    fields: dict[str, str]


class MockApi:
    """Replies as `documents` describe it.

    A share of `errors` of the replies is one of the errors that the operation describes, 503 if it describes none.
    `chance` returns a random number in [0, 1).
    """

    def __init__(self, documents: Sequence[ApiDocument], errors: float, chance: Callable[[], float]) -> None:
        self._documents = documents
        self._errors = errors
        self._chance = chance

    def reply(self, method: str, path: str, prefer: str) -> MockReply:
        """Return the reply to a request. `prefer` is its Prefer field: `status=404` asks for the reply with that."""
        found = [
            (operation, document)
            for document in self._documents
            for operation in document.operations.values()
            if _matches(operation.base + operation.path, path)
        ]
        if not found:
            return MockReply(404, _PROBLEM, _NO_OPERATION, {})
        served = [each for each in found if each[0].method == ("GET" if method == "HEAD" else method)]
        if not served:
            return MockReply(
                405, _PROBLEM, _NO_METHOD, {"Allow": ", ".join(sorted({each.method for each, _ in found}))}
            )
        operation, document = min(served, key=lambda each: each[0].path.count("{"))
        return _described(document, operation, self._status(operation, prefer))

    def _status(self, operation: Operation, prefer: str) -> int:
        wanted = _PREFERRED.search(prefer)
        if wanted is not None:
            return int(wanted[1])
        statuses = sorted(_number(name) for name in operation.responses if name != "default")
        if self._chance() < self._errors:
            errors = [status for status in statuses if status >= 400]
            return errors[int(self._chance() * len(errors))] if errors else 503
        return next((status for status in statuses if 200 <= status < 300), 200)


def _matches(template: str, path: str) -> bool:
    wanted, segments = template.split("/"), unquote(path).split("/")
    return len(wanted) == len(segments) and all(
        ("{" in each and segment != "") or each == segment for each, segment in zip(wanted, segments, strict=True)
    )


def _number(name: str) -> int:
    """Return a status, of a range such as `4XX` the first one."""
    return int(name.upper().replace("XX", "00"))


def _described(document: ApiDocument, operation: Operation, status: int) -> MockReply:
    response = operation.response(status)
    if response is None or not response.content or status in {204, 304}:
        return MockReply(status, "", b"", _fields(document, response))
    name, media = next(
        ((name, media) for name, media in response.content.items() if "json" in name),
        next(iter(response.content.items())),
    )
    return MockReply(
        status, "application/json" if "*" in name else name, _body(document, name, media), _fields(document, response)
    )


def _body(document: ApiDocument, name: str, media: MediaType) -> bytes:
    value = media.examples[0] if media.examples else sample_value(document, media.schema)
    if isinstance(value, str) and "json" not in name and "*" not in name:
        return value.encode()
    return json.dumps(value, ensure_ascii=False).encode()


def _fields(document: ApiDocument, response: Response | None) -> dict[str, str]:
    described = {} if response is None else response.fields
    values = {name: sample_value(document, field.schema) for name, field in described.items()}
    plain = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return {name: value for name, value in plain.items() if value.isascii() and value.isprintable()}
