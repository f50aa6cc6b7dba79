"""What the replies of an operation are like, and how the answer of a service differs from that.

Laws:
1. What is found repeats nothing of a reply but names of fields, media types and types of JSON. In pointers, items of
   lists and names that the document leaves open are `*`.
2. The cost is linear in the bytes of a reply, and what is found is bounded, as `Validator` and `read_json` have it.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from gateway.kernel.envelope.charsets import BOM
from gateway.kernel.envelope.media_type import json_in_utf8, media
from gateway.kernel.envelope.raw_json import WHITE
from gateway.kernel.faults import GatewayError
from gateway.kernel.http.content_coding import decode, is_coded
from gateway.kernel.http.status_rules import WITHOUT_BODY
from gateway.openapi.findings import ARTICLES, Finding, pointer
from gateway.openapi.json_body import BodyError, read_json
from gateway.openapi.request_contract import body_kind
from gateway.openapi.validator import Validator
from gateway.upstream.call import Fields

DriftKind: TypeAlias = Literal["status", "media_type", "body", "missing", "type", "unknown_field", "value"]
"""`body`: it cannot be read. `missing` and `unknown_field` are fields, `type` and `value` are wrong in one."""
_UNDESCRIBED = frozenset({206, 304})
"""Statuses that HTTP itself brings into any operation: by ranges and by conditions."""
_KINDS: dict[str, DriftKind] = {
    "required": "missing",
    "type": "type",
    "additionalProperties": "unknown_field",
    "unevaluatedProperties": "unknown_field",
}
_STATUSES = frozenset({"SUCCESS", "ERROR"})
_LONGEST_TYPE = 100
_LONGEST_NAME = 64


class Drift(NamedTuple):
    """One difference. `at` is a JSON pointer into the body, or `header.NAME`; "" for the whole reply."""

    kind: DriftKind
    at: str
    text: str


class ReplyCheck(NamedTuple):
    """What came of a check. `partial`: there is a schema for the body, but the body was not in memory."""

    drifts: list[Drift]
    partial: bool = False


class DescribedReply(msgspec.Struct, frozen=True):
    """One kind of reply. `fields` are the header fields that it must have, in lower case.

    `content` is by media type, and None where bodies are not looked at.
    """

    fields: tuple[str, ...]
    content: dict[str, Validator | None]


class ReplyContract(msgspec.Struct, frozen=True):
    """What the replies to one operation are like.

    `methods` are those that it is about. `replies` are by status (`200`, `4XX`, `default`). `names` are those of the
    fields that the document describes. With `adopts` a body that is an envelope already may be described by what is in
    it. `most_bytes` bounds a body that is decompressed.
    """

    methods: frozenset[bytes]
    replies: dict[str, DescribedReply]
    names: frozenset[str]
    adopts: bool
    most_bytes: int

    def check(self, method: bytes, status: int, fields: Fields, body: bytes | None) -> ReplyCheck:
        """Return how an answer differs. `body` is None where it is not in memory as a whole."""
        described = (
            self.replies.get(str(status)) or self.replies.get(f"{status // 100}XX") or self.replies.get("default")
        )
        if described is None:
            if status in _UNDESCRIBED:
                return ReplyCheck([])
            return ReplyCheck([Drift("status", "", f"The document describes no reply with status {status}.")])
        present = {name for name, _ in fields}
        found = [
            Drift("missing", f"header.{name}", "This is missing.")
            for name in described.fields
            if name.encode() not in present
        ]
        if method == b"HEAD" or status in WITHOUT_BODY:
            return ReplyCheck(found)
        if not described.content or body == b"":
            if described.content:
                found.append(Drift("missing", "", "There is no body."))
            elif body != b"":
                found.append(Drift("media_type", "", "There is a body, and the document describes none."))
            return ReplyCheck(found)
        written = _value_of(fields, b"content-type")
        known, validator = self._of_type(described.content, written)
        if not known:
            found.append(Drift("media_type", "", _other_type(written, described.content)))
        if validator is None:
            return ReplyCheck(found)
        if body is None:
            return ReplyCheck(found, partial=True)
        found += self._of_body(validator, body, written, _value_of(fields, b"content-encoding"))
        return ReplyCheck(found)

    def _of_type(self, content: dict[str, Validator | None], written: bytes) -> tuple[bool, Validator | None]:
        essence = written[:_LONGEST_TYPE].decode("latin-1").partition(";")[0].strip().lower()
        for name in (essence, f"{essence.partition('/')[0]}/*", "*/*"):
            if name in content:
                return True, content[name] if body_kind(essence) == "json" else None
        return False, None

    def _of_body(self, validator: Validator, body: bytes, content_type: bytes, coding: bytes) -> list[Drift]:
        try:
            text = decode(body, coding, self.most_bytes) if is_coded(coding) else body
            value = read_json(json_in_utf8(text, media(content_type).charset).strip(WHITE).removeprefix(BOM))
        except GatewayError:
            return [Drift("body", "", "The body cannot be decompressed.")]
        except BodyError as error:
            return [Drift("body", "", str(error))]
        if validator.is_valid(value):
            return []
        way: tuple[str, ...] = ()
        for step in _ways_in(value) if self.adopts else ():
            value, way = value[step], (*way, step)
            if validator.is_valid(value):
                return []
        return list(dict.fromkeys(self._drift(each, value, way) for each in validator.findings(value)))

    def _drift(self, finding: Finding, value: Any, way: tuple[str, ...]) -> Drift:
        kind = _KINDS.get(finding.keyword, "value")
        text = finding.text
        if kind == "type":
            text = f"{text.removesuffix('.')}, and is {_kind_at(value, finding.way)}."
        steps: list[str | int] = [step if step in self.names else "*" for step in finding.way]
        if kind == "unknown_field":
            steps[-1] = str(finding.way[-1])[:_LONGEST_NAME]
        return Drift(kind, pointer([*way, *steps]), text)


def _ways_in(value: Any) -> Iterator[str]:
    """Yield the steps into an envelope of a service, to its `data` and to the `result` in that."""
    if not isinstance(value, dict) or "requestId" not in value or "data" not in value:
        return
    if value.get("status") in _STATUSES:
        yield "data"
        if isinstance(value["data"], dict) and "result" in value["data"]:
            yield "result"


def _other_type(written: bytes, content: dict[str, Validator | None]) -> str:
    shown = written.decode("latin-1").partition(";")[0].strip()[:_LONGEST_TYPE]
    named = f"`{shown}`" if shown.isascii() and shown.isprintable() and shown else "no media type"
    return f"The body is of {named}, and the document describes {' or '.join(list(content)[:10])}."


def _value_of(fields: Fields, wanted: bytes) -> bytes:
    return next((value for name, value in fields if name == wanted), b"")


def _kind_at(value: Any, way: tuple[str | int, ...]) -> str:
    for step in way:
        value = value[step]
    if isinstance(value, bool):
        return ARTICLES["boolean"]
    kinds = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return ARTICLES[kinds.get(type(value), "null")]
