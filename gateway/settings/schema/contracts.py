"""`request` and `response` of routes: what requests and replies are like."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from gateway.settings.schema.types import Percent, Section, Size, default
from gateway.settings.schema.values import RefusedError, text_of


def _file(value: object) -> str:
    text = text_of(value, "the name of a file")
    if not text or "\n" in text:
        raise RefusedError("the name of a file is wanted here")
    return text


ContractFile: TypeAlias = Annotated[str, PlainValidator(_file), WithJsonSchema({"type": "string", "minLength": 1})]


class RequestSettings(Section):
    """What the requests of a route are like: an operation of an OpenAPI document, or a schema of their JSON body."""

    openapi: ContractFile | None = Field(
        default=None, description="OpenAPI document (3.1, 3.0, Swagger 2), relative to this file."
    )
    operation: str | None = Field(default=None, description="The `operationId` in it.")
    json_schema: ContractFile | None = Field(
        default=None,
        validation_alias="schema",
        description="In place of `openapi`: JSON Schema (2020-12) of the body, relative to this file.",
    )
    mode: Literal["enforce", "shadow"] = Field(
        default="enforce",
        description="`enforce` answers 400 to what is not as described, `shadow` lets it through and counts it.",
    )
    unknown_fields: Literal["allow", "refuse"] = Field(
        default="allow", description="Fields of the body that are not described, where the schema leaves them open."
    )
    unknown_query: Literal["allow", "refuse"] = Field(
        default="allow", description="Query parameters that are not described."
    )
    max_body: Size = default("1MiB", "The longest body that is checked; longer ones get 413.")

    @model_validator(mode="after")
    def _one_of_two(self) -> "RequestSettings":
        if (self.openapi is None) == (self.json_schema is None):
            raise RefusedError("exactly one of `openapi` and `schema` is wanted here")
        if self.openapi is not None and self.operation is None:
            raise RefusedError("`operation` is missing: the `operationId` of the operation in the document")
        if self.json_schema is not None:
            for name in ("operation", "unknown_query"):
                if name in self.model_fields_set:
                    raise RefusedError(f"`{name}` goes with `openapi`; a `schema` is about the body only")
        return self


class ResponseSettings(Section):
    """What the replies of the service of a route are like: an operation of an OpenAPI document. No client waits."""

    openapi: ContractFile = Field(description="OpenAPI document (3.1, 3.0, Swagger 2), relative to this file.")
    operation: str = Field(description="The `operationId` in it.")
    mode: Literal["shadow"] = Field(
        default="shadow", description="`shadow` counts and logs what is not as described; the reply stays as it is."
    )
    share: Percent = default("5%", "How many of the replies are checked.")
    unknown_fields: Literal["allow", "report"] = Field(
        default="allow", description="Fields that are not described, where the schema leaves them open."
    )
