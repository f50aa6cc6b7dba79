"""Limits: how much of what, and whose bucket it comes out of."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from gateway.kernel.limits.token_bucket import OnFailure
from gateway.settings.schema.types import Id, Many, Method, PositiveDuration, Section
from gateway.settings.schema.values import METHODS, RefusedError, method


class Limit(Section):
    """A token bucket, as its `guarantee` has it."""

    LATER: ClassVar[frozenset[str]] = frozenset({"cost"})

    id: Id = Field(description="Names the limit in RateLimit-Policy and in metrics.")
    max: int = Field(ge=1, le=10**12, description="Calls per `per`, in the sense of `guarantee`.")
    per: PositiveDuration = Field(
        description="The length that `max` is about: `1s`, `1m`, `1h`, `1d`, `30d` have X-RateLimit-* fields."
    )

    guarantee: Literal["burst", "any-window"] = Field(
        default="burst",
        description="`burst`: a bucket of `max`, refilled at `max` per `per`. `any-window`: never more than `max` "
        "in any stretch of `per`.",
    )
    shadow: bool = Field(
        default=False,
        description="Counts, and log and metrics say what it would have refused; refuses nothing, and no reply "
        "tells of it.",
    )
    on_failure: OnFailure | None = Field(
        default=None, description="While Redis is away. Left out: as `redis.on_failure` has it."
    )
    scope: Literal["key", "organization", "route"] = Field(default="key", description="Whose bucket.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Limit":
        if self.shadow and self.on_failure == "deny":
            raise RefusedError("a shadow refuses nothing, without Redis either", "leave `on_failure: deny` out")
        if self.max > self.per * 1_000_000:
            raise RefusedError("finer than one call per microsecond", "lower `max`, or write `limits: []` for no limit")
        return self


class PlanLimit(Limit):
    """A limit of a plan."""

    scope: Literal["key", "organization"] = Field(
        default="key",
        description="Whose bucket: one for each key, or one that all keys of an organisation on this plan share.",
    )


class KeyLimit(Limit):
    """A limit of one key."""

    scope: Literal["key"] = Field(default="key", description="Always `key`.")


class OrganizationLimit(Limit):
    """A limit that all keys of an organisation share."""

    scope: Literal["organization"] = Field(default="organization", description="Always `organization`.")


class RouteLimit(Limit):
    """A limit of a route, on top of its callers' own."""

    scope: Literal["key", "organization", "route"] = Field(
        default="key",
        description="Whose bucket on this route: one for each key, one for each organisation, or one for all callers.",
    )
    methods: Annotated[Many[Method], Field(min_length=1)] | None = Field(
        default=None, description="Holds for these only; HEAD counts as GET. Left out: all of the route's."
    )


MAX_COST = 10**9


def cost(value: object) -> dict[str, int]:
    """Return a cost by method, under `default` for those that are not named."""
    named = value if isinstance(value, dict) else {"default": value}
    for name, tokens in named.items():
        if name != "default":
            method(name)
        if not isinstance(tokens, int) or isinstance(tokens, bool) or not 0 <= tokens <= MAX_COST:
            wanted = f"a whole number from 0 to {MAX_COST}, or one by method,"
            raise RefusedError(f"{wanted} is wanted here", "write `cost: {DELETE: 5, default: 1}`")
    return dict(named)


_ONE_COST = {"type": "integer", "minimum": 0, "maximum": MAX_COST}
Cost: TypeAlias = Annotated[
    dict[str, int],
    PlainValidator(cost),
    WithJsonSchema(
        {
            "anyOf": [
                _ONE_COST,
                {"type": "object", "propertyNames": {"enum": [*METHODS, "default"]}, "additionalProperties": _ONE_COST},
            ]
        }
    ),
]
"""Tokens by method; `default` for the others."""
