"""The envelope rules of the contract as a check of one reply. It shares no code with the gateway."""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_MESSAGE_TYPES = {"INFO", "ERROR", "WARNING", "DEBUG", "TRACE"}
_TOP = {"requestId", "status", "data", "more"}


class EnvelopeError(AssertionError):
    """A reply that breaks a rule of the contract."""


def check_envelope(
    status: int, headers: Iterable[tuple[str, str]], body: bytes, *, foreign: bool = True
) -> dict[str, Any]:
    """The parsed envelope of a reply with a body. Raises EnvelopeError, with the rule in its text.

    `foreign` allows members that the contract does not name, as a backend's own envelope may have.
    """
    fields = [(name.lower(), value) for name, value in headers]
    types = [value for name, value in fields if name == "content-type"]
    _must(types == ["application/json"], f"rule 1: Content-Type is {types}")
    envelope: dict[str, Any] = parse(body)
    _must(isinstance(envelope, dict), "rule 1: not an object")
    _must(foreign or set(envelope) <= _TOP, f"unknown members {set(envelope) - _TOP}")
    _must(
        isinstance(envelope.get("requestId"), str) and bool(_UUID4.fullmatch(envelope["requestId"])),
        "rule 2: requestId is no UUID v4",
    )
    ids = [value for name, value in fields if name == "x-request-id"]
    _must(not ids or ids == [envelope["requestId"]], f"rule 2: X-Request-Id is {ids}")
    _must(isinstance(envelope.get("data"), dict), "data is no object")
    data = envelope["data"]
    if status < 400:
        _must(envelope.get("status") == "SUCCESS", f"rule 3: {envelope.get('status')!r} with HTTP {status}")
        _must("result" in data, "rule 3: no result")
        _check_messages(data, "messages")
    else:
        _must(envelope.get("status") == "ERROR", f"rule 4: {envelope.get('status')!r} with HTTP {status}")
        _must(type(data.get("code")) is int, f"rule 4: code is {data.get('code')!r}")
        for name in ("message", "developerMessage"):
            _must(isinstance(data.get(name), str) and data[name] != "", f"rule 4: {name} is {data.get(name)!r}")
        _check_links(data)
        _check_messages(data, "details")
        _check_fields_of(status, fields)
    return envelope


def parse(body: bytes) -> Any:
    """Strict JSON in UTF-8 without BOM; raises EnvelopeError."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EnvelopeError("rule 1: not UTF-8") from error
    _must(not text.startswith("\ufeff"), "rule 1: BOM")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise EnvelopeError(f"rule 1: {error}") from error


def _check_messages(data: dict[str, Any], name: str) -> None:
    if name not in data:
        return
    _must(isinstance(data[name], list), f"rule 4: {name} is no array")
    for message in data[name]:
        _must(isinstance(message, dict), f"{name}: not an object")
        for member in ("id", "type", "text"):
            _must(
                isinstance(message.get(member), str) and message[member] != "",
                f"{name}: {member} is {message.get(member)!r}",
            )
        _must(message["type"] in _MESSAGE_TYPES, f"{name}: type {message['type']}")
        _must("field" not in message or isinstance(message["field"], str), f"{name}: field is {message.get('field')!r}")
        if "date" in message:
            _check_date(message["date"])
        _check_links(message)


def _check_links(data: dict[str, Any]) -> None:
    if "links" not in data:
        return
    _must(isinstance(data["links"], list), "rule 4: links is no array")
    for link in data["links"]:
        _must(isinstance(link, dict) and isinstance(link.get("href"), str) and link["href"] != "", "link without href")
        _must(isinstance(link.get("title"), str) and link["title"] != "", "rule 4: link without a title")


def _check_date(date: object) -> None:
    _must(isinstance(date, str) and date.endswith("Z"), f"rule 4: date {date!r} does not end in Z")
    try:
        datetime.fromisoformat(str(date))
    except ValueError as error:
        raise EnvelopeError(f"rule 4: date {date!r} does not parse") from error


def _check_fields_of(status: int, fields: list[tuple[str, str]]) -> None:
    needed = {401: "www-authenticate", 405: "allow", 429: "retry-after"}.get(status)
    _must(needed is None or needed in dict(fields), f"HTTP {status} without {needed}")


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID of any version in lower case."""
    return _UUID.fullmatch(text) is not None


def _refuse_constant(name: str) -> object:
    raise EnvelopeError(f"rule 1: {name}")


def _must(holds: object, broken: str) -> None:
    if not holds:
        raise EnvelopeError(broken)
