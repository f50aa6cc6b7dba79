"""What requests to the admin listener carry: parameters and JSON objects, checked and bounded."""

import json
from collections.abc import Sequence
from math import isinf
from typing import Any

from aiohttp import web

from gateway.kernel.units import parse_count

MOST_BODY_BYTES = 64 * 1024
_TYPES = ("application/json", "application/merge-patch+json")


class BadRequestError(Exception):
    """What is wrong with a request, and the status of the reply."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def check_parameters(request: web.BaseRequest, known: Sequence[str] = ()) -> None:
    """Raise BadRequestError for a query parameter that is not one of `known`."""
    for name in request.query:
        if name not in known:
            others = f"there are {', '.join(known)}" if known else "there is none here"
            raise BadRequestError(400, f"there is no parameter `{name}`; {others}")


def limit_in(request: web.BaseRequest, default: int, most: int) -> int:
    """Return the parameter `limit`. Raises BadRequestError."""
    try:
        return parse_count(request.query.get("limit", str(default)), most)
    except ValueError as error:
        raise BadRequestError(400, f"limit: {error}") from None


async def json_object(request: web.BaseRequest) -> dict[str, Any]:
    """Return the object in the body; an empty body is an empty object. Raises BadRequestError."""
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise BadRequestError(413, f"the body is longer than {MOST_BODY_BYTES} bytes")
    if not body:
        return {}
    media_type = request.headers.get("Content-Type", _TYPES[0]).partition(";")[0].strip().lower()
    if media_type not in _TYPES or "Content-Encoding" in request.headers:
        raise BadRequestError(415, f"send the body as {_TYPES[0]}, without a content coding")
    try:
        found = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refused, parse_float=_number)
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is text that nothing can store
    except (ValueError, RecursionError) as error:
        raise BadRequestError(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadRequestError(400, "the body is no JSON object")
    return found


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("an object has two members of one name")
    return found


def _number(written: str) -> float:
    if isinf(number := float(written)):
        raise ValueError(f"{written[:40]} is out of range")
    return number


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
