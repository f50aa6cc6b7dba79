"""`envelope`, `compression`, `cache` and `idempotency`: what the gateway does with whole replies."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, field_validator

from gateway.kernel import units
from gateway.kernel.caching.storage import Share
from gateway.settings.schema.types import Duration, HeaderName, Many, PositiveDuration, Section, Size, default
from gateway.settings.schema.values import RefusedError, positive_duration

FROM_SERVICE = "from-service"
Lifetime: TypeAlias = Annotated[
    float | None,
    PlainValidator(lambda value: None if value == FROM_SERVICE else positive_duration(value)),
    PlainSerializer(
        lambda seconds: FROM_SERVICE if seconds is None else units.format_duration(seconds), when_used="json"
    ),
    WithJsonSchema({"anyOf": [{"const": FROM_SERVICE}, {"type": "string", "pattern": units.DURATION_PATTERN}]}),
]
"""Seconds; None when the service says how many."""


class EnvelopeSettings(Section):
    """How replies are put into the envelope."""

    mode: Literal["auto", "wrap", "passthrough"] = Field(
        default="auto",
        description="`auto` wraps replies that are not enveloped yet, `wrap` wraps all, `passthrough` leaves all as "
        "they are.",
    )
    max_buffer: Size = default(
        "8MiB", "Replies up to this size are checked whole before the first byte is sent; larger ones are streamed."
    )
    binary: Literal["passthrough", "refuse"] = Field(
        default="refuse",
        description="Successes that are neither JSON nor plain text (HTML, XML, CSV, files): passed on as they are, "
        "or answered 503.",
    )


class EnvelopeOverrides(Section):
    """What differs from `defaults.envelope`."""

    mode: Literal["auto", "wrap", "passthrough"] | None = Field(
        default=None, description="See `defaults.envelope.mode`."
    )
    max_buffer: Size | None = Field(default=None, description="See `defaults.envelope.max_buffer`.")
    binary: Literal["passthrough", "refuse"] | None = Field(default=None, description="See `defaults.envelope.binary`.")


class CompressionSettings(Section):
    """How replies are compressed for clients that accept it."""

    codings: Many[Literal["zstd", "br", "gzip"]] = Field(
        default=(),
        description="The content codings that are offered, in order of preference. `[]`: replies are not compressed.",
    )
    min_size: Size = default("1KiB", "Smaller bodies stay as they are.")

    @field_validator("codings")
    @classmethod
    def _different(cls, codings: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return different(codings)


class CompressionOverrides(Section):
    """What differs from `defaults.compression`."""

    codings: Many[Literal["zstd", "br", "gzip"]] | None = Field(
        default=None, description="See `defaults.compression.codings`."
    )
    min_size: Size | None = Field(default=None, description="See `defaults.compression.min_size`.")

    @field_validator("codings")
    @classmethod
    def _different(cls, codings: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return different(codings)


def different(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return `names`. Raises RefusedError when one of them stands there twice."""
    for index, name in enumerate(names or ()):
        if name in (names or ())[:index]:
            raise RefusedError(f"`{name}` stands here twice")
    return names


class CacheSettings(Section):
    """Which replies of a route are kept, for how long, and for whom."""

    ttl: Lifetime = Field(
        default=None,
        description="How long a reply is fresh. `from-service`: as Cache-Control or Expires say; one without is not "
        "kept. A duration counts in place of that, for statuses below 400.",
        json_schema_extra={"default": FROM_SERVICE},
    )
    max_bytes: Size = default(
        "64MiB", "The memory for replies of this route, in each worker. One takes a quarter at most."
    )
    vary: Many[HeaderName] = Field(
        default=(), description="Request fields that select a reply, besides those that the service names in Vary."
    )
    share: Share | None = Field(
        default=None,
        description="Who may get a reply that another one has asked for: the `organization`, only the same `key`, or "
        "everybody, if the service says `public`. Left out: `organization`, and `public` with `auth: none`.",
    )
    stale_while_revalidate: Duration = default(
        "0s", "For how long after that a reply is still given, while it is renewed beside the requests."
    )
    stale_if_error: Duration = default("0s", "For how long after that it is still given while the service is away.")
    cost: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Tokens that a reply from memory takes from each limit. 0 is free. Left out: those of any call.",
    )

    @field_validator("vary")
    @classmethod
    def _different(cls, vary: tuple[str, ...]) -> tuple[str, ...]:
        different(tuple(map(str.lower, vary)))
        return vary


class IdempotencySettings(Section):
    """How POST and PATCH are recognised that are sent again, and answered with the first reply."""

    header: HeaderName = Field(default="Idempotency-Key", description="The field that carries the key of a call.")
    ttl: PositiveDuration = default("24h", "How long the first reply is kept.")
