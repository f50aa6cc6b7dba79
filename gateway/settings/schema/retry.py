"""`retry` of an upstream or a route, and `hedge`: which calls are sent again, and how many."""

from typing import Annotated, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from gateway.kernel import units
from gateway.kernel.traffic.retry import FAILOVER, IDEMPOTENT
from gateway.settings.schema.types import Many, Percent, PositiveDuration, Section, default
from gateway.settings.schema.values import RefusedError, did_you_mean, positive_duration, text_of

WORDS = (*sorted(FAILOVER), "http_protocol_error", "http_response_timeout")
"""The error types of RFC 9209 that `on` may name."""
_METHODS = tuple(sorted(method.decode() for method in IDEMPOTENT))


def retry_condition(value: object) -> str:
    text = str(value) if type(value) is int else text_of(value, "an error type of RFC 9209, or a status in quotes")
    if text in WORDS or (text.isascii() and text.isdecimal() and len(text) == 3 and 400 <= int(text) <= 599):
        return text
    raise RefusedError(
        f"`{text}` is neither an error type of RFC 9209 nor a status from 400 to 599", did_you_mean(text, WORDS)
    )


def retry_methods(value: object) -> tuple[str, ...]:
    if value == "idempotent":
        return _METHODS
    if not isinstance(value, (list, tuple)) or not value:
        raise RefusedError("`idempotent` or a list of methods is wanted here")
    for method in value:
        if method not in _METHODS:
            raise RefusedError(
                f"`{method}` is not sent again once a service may have it", f"choose from {', '.join(_METHODS)}"
            )
    return tuple(value)


RetryCondition: TypeAlias = Annotated[
    str,
    PlainValidator(retry_condition),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": list(WORDS)},
                {"type": "string", "pattern": "^[45][0-9]{2}$"},
                {"type": "integer", "minimum": 400, "maximum": 599},
            ]
        }
    ),
]
RetryMethods: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(retry_methods),
    PlainSerializer(list, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "idempotent"},
                {"type": "array", "items": {"type": "string", "enum": list(_METHODS)}, "minItems": 1},
            ]
        }
    ),
]


class RetrySettings(Section):
    """Which calls are sent again. A call that no service received is sent again whatever its method."""

    attempts: int = Field(
        default=3, ge=1, le=10, description="How often a call is sent in all, to all targets and on all connections."
    )
    on: Annotated[Many[RetryCondition], Field(min_length=1)] = Field(
        default=(*sorted(FAILOVER), "http_response_timeout", "503"),
        description="After what: error types of RFC 9209 (as in `Proxy-Status`) and statuses of answers.",
    )
    methods: RetryMethods = default(
        "idempotent",
        "For which methods, once a service may have received the call: `idempotent`, or a list of some of those.",
    )
    per_try: PositiveDuration | None = Field(
        default=None, description="The longest that one attempt takes. Left out: as long as there is time."
    )
    budget: Percent = default(
        "20%", "Most attempts that are added to the calls of an upstream, after a service may have received them."
    )
    backoff: PositiveDuration = default(
        "25ms",
        "The wait before a second attempt at a service that may have received the first; twice as long each time.",
    )


class RetryOverrides(Section):
    """What differs from `retry` of the upstream, for the calls of a route."""

    attempts: int | None = Field(default=None, ge=1, le=10, description="See `upstreams[].retry.attempts`. 1: never.")
    on: Annotated[Many[RetryCondition], Field(min_length=1)] | None = Field(
        default=None, description="See `upstreams[].retry.on`."
    )
    methods: RetryMethods | None = Field(default=None, description="See `upstreams[].retry.methods`.")
    per_try: PositiveDuration | None = Field(default=None, description="See `upstreams[].retry.per_try`.")
    budget: Percent | None = Field(
        default=None, description="Most attempts that are added to the calls of this route. Left out: the upstream's."
    )
    backoff: PositiveDuration | None = Field(default=None, description="See `upstreams[].retry.backoff`.")

    def over(self, inherited: RetrySettings | None) -> RetrySettings:
        """Return these rules, and those of `inherited` that they say nothing about. None stands for the defaults."""
        own = {name: value for name, value in self if value is not None}
        return (inherited or RetrySettings()).model_copy(update=own)


def hedge_delay(value: object) -> str:
    text = text_of(value, "`p50` to `p99`, or a duration such as `200ms`,")
    if text.startswith("p") and text[1:].isascii() and text[1:].isdecimal() and 50 <= int(text[1:]) <= 99:
        return text
    return units.format_duration(positive_duration(text))


HedgeDelay: TypeAlias = Annotated[
    str, PlainValidator(hedge_delay), WithJsonSchema({"type": "string", "pattern": "^p[5-9][0-9]$|^[0-9]"})
]
"""`p50` to `p99`, or a duration as a file has it."""


class HedgeSettings(Section):
    """A second attempt of calls whose target is slow, at another one. The answer that comes first is taken."""

    after: HedgeDelay = Field(
        default="p95",
        description="How long the first one has: `p95` is the time within which 95% of the calls are answered, or a "
        "duration.",
    )
    methods: RetryMethods = default(["GET"], "For which methods: `idempotent`, or a list of some of those.")
    budget: Percent = default("5%", "Most second attempts that are added to the calls of the upstream.")

    @property
    def after_s(self) -> float | None:
        """Seconds, None where `quantile` says how many."""
        return None if self.after.startswith("p") else units.parse_duration(self.after)

    @property
    def quantile(self) -> float:
        """The share of the calls that is waited for, 0.95 where `after` is a duration."""
        return int(self.after[1:]) / 100 if self.after.startswith("p") else 0.95
