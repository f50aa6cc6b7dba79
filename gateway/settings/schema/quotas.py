"""Quotas and concurrency: what a caller may do beyond its rate."""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from gateway.settings.schema.routing import ErrorLink
from gateway.settings.schema.types import HeaderName, Id, IdPattern, Many, Method, PositiveDuration, Section
from gateway.settings.schema.values import RefusedError, text_of

MAX_UNITS = 100_000
"""The most units of a level or of concurrency. Each is an entry in the store."""

_WAY = r"[^.]{1,128}(\.[^.]{1,128}){0,15}"


def way(value: object) -> str:
    """Names with dots between them."""
    text = text_of(value, "a way into the JSON, such as `result.bytes`,")
    if not re.fullmatch(_WAY, text):
        raise RefusedError(
            f"`{text}` is no way into JSON", "write the names of its objects' members, with dots between them"
        )
    return text


Way: TypeAlias = Annotated[str, PlainValidator(way), WithJsonSchema({"type": "string", "pattern": f"^{_WAY}$"})]


class Calls(Section):
    """Some calls: those of one of the routes, with one of the methods."""

    routes: Annotated[Many[IdPattern], Field(min_length=1)] = Field(
        description="Ids of routes, or patterns such as `encoding.*`."
    )
    methods: Annotated[Many[Method], Field(min_length=1)] | None = Field(
        default=None, description="HEAD counts as GET. Left out: all."
    )

    def includes(self, route: str, method: str) -> bool:
        """Return whether a call of the route with that id is one of them."""
        meant = {method, "GET"} if method == "HEAD" else {method}
        return (self.methods is None or not meant.isdisjoint(self.methods)) and any(
            fnmatchcase(route, one) for one in self.routes
        )


class AmountSettings(Section):
    """Where a reply of the service says how much it was. Exactly one of `header` and `field`."""

    header: HeaderName | None = Field(default=None, description="A header field, whose value is a whole number.")
    field: Way | None = Field(
        default=None,
        description="The way to a whole number in the service's JSON, with dots. Not for replies that are streamed.",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> "AmountSettings":
        if (self.header is None) == (self.field is None):
            raise RefusedError("exactly one of `header` and `field` is wanted here")
        return self


class Quota(Section):
    """What a caller may do in all. A call that finds it spent is not passed on; one that fails costs nothing."""

    id: Id = Field(description="Names the quota in logs and metrics, and for callers.")
    code: int = Field(
        ge=1, le=99999, description="The envelope's `code` of the 429: 8001, 8003, 8004, 8005, 8006 or one of your own."
    )
    kind: Literal["count", "sum", "level"] = Field(
        description="`count` of calls, `sum` of an amount that replies tell, `level` that some calls raise and "
        "others lower."
    )
    max: int = Field(ge=1, le=10**15, description="A call is refused when so much is used.")
    per: Literal["month", "ever"] | None = Field(
        default=None, description="Of a `count` or `sum`: the calendar month (UTC), or for ever. Left out: `month`."
    )
    scope: Literal["key", "organization"] = Field(
        default="key",
        description="Whose it is: one for each key, or one that all keys of an organisation on this plan share.",
    )
    charge: Annotated[Many[Calls], Field(min_length=1)] = Field(
        description="The calls that are charged, and refused when it is spent."
    )
    release: Annotated[Many[Calls], Field(min_length=1)] | None = Field(
        default=None, description="Of a `level`: the calls that lower it by one."
    )
    amount: AmountSettings | None = Field(default=None, description="Of a `sum`: where replies tell the amount.")
    expires: PositiveDuration | None = Field(
        default=None,
        description="Of a `level`: each unit is forgotten after this long, whatever became of it. Left out: `24h`.",
    )
    message: str | None = Field(
        default=None, min_length=1, description="The envelope's `message`. Left out: what the code is called."
    )
    developer_message: str | None = Field(default=None, min_length=1, description="The envelope's `developerMessage`.")
    links: Many[ErrorLink] | None = Field(default=None, description="The envelope's `links`.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Quota":
        if self.kind == "sum" and self.amount is None:
            raise RefusedError(
                "a `sum` needs its `amount`", "write `amount: {header: X-Bytes}` or `amount: {field: result.bytes}`"
            )
        if self.kind == "level" and self.max > MAX_UNITS:
            raise RefusedError(f"a `level` goes up to {MAX_UNITS}")
        of = {"per": ("count", "sum"), "amount": ("sum",), "release": ("level",), "expires": ("level",)}
        for name, kinds in of.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                raise RefusedError(f"`{name}` is of no use to a `{self.kind}`")
        return self

    @property
    def lasts_s(self) -> float:
        """The seconds after which a unit of a level is forgotten."""
        return self.expires or 86_400.0


class Concurrency(Section):
    """How many calls of a caller may be in flight at once, in all gateways together."""

    key: int | None = Field(
        default=None, ge=1, le=MAX_UNITS, description="Of each key, or each address where no key is asked."
    )
    organization: int | None = Field(
        default=None, ge=1, le=MAX_UNITS, description="Of all keys of an organisation on this plan."
    )

    @model_validator(mode="after")
    def _something(self) -> "Concurrency":
        if self.key is None and self.organization is None:
            raise RefusedError("`key` or `organization` is wanted here")
        return self
