"""Compiles what the document of an operation says about its replies."""

from collections.abc import Callable
from typing import TypeAlias

from gateway.openapi.drift.reply_contract import DescribedReply, ReplyContract
from gateway.openapi.model import ApiDocument, Operation, Response, Schema
from gateway.openapi.request_contract import body_kind
from gateway.openapi.strictness import for_replies, refusing_unknown
from gateway.openapi.validator import Validator, names_in
from gateway.settings.schema.contracts import ResponseSettings
from gateway.settings.schema.replies import EnvelopeSettings

ValidatorMaker: TypeAlias = Callable[[ApiDocument, Schema], Validator]
"""Compiles a schema of a document. Raises SchemaError, which it has reported."""


def reply_contract(
    document: ApiDocument,
    operation: Operation,
    wanted: ResponseSettings,
    envelope: EnvelopeSettings,
    make: ValidatorMaker,
) -> ReplyContract:
    """Return the contract of the replies of `operation`. Raises what `make` raises."""
    document, operation = for_replies(document, operation)
    methods = {operation.method, "HEAD"} if operation.method == "GET" else {operation.method}
    names: set[str] = set()
    replies = {
        status: _described(document, response, names, make, closed=wanted.unknown_fields == "report")
        for status, response in operation.responses.items()
    }
    return ReplyContract(
        methods=frozenset(method.encode() for method in methods),
        replies=replies,
        names=frozenset(names),
        adopts=envelope.mode == "auto",
        most_bytes=envelope.max_buffer,
    )


def _described(
    document: ApiDocument, response: Response, names: set[str], make: ValidatorMaker, *, closed: bool
) -> DescribedReply:
    content: dict[str, Validator | None] = {}
    for name, media in response.content.items():
        content[name] = None
        owner, schema = document, media.schema
        if schema is True or not (body_kind(name) == "json" or name.endswith("/*")):
            continue
        if closed:
            owner, (schema,) = refusing_unknown(document, [schema])
        content[name] = make(owner, schema)
        names |= names_in(schema, *owner.reachable(schema).values())
    required = [name.lower() for name, field in response.fields.items() if field.required]
    return DescribedReply(tuple(required), content)
