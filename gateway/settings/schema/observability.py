"""`observability`: what can be seen of requests, and where it is sent."""

from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, SecretStr, WithJsonSchema, field_validator

from gateway.settings.schema.types import (
    HeaderName,
    Many,
    Percent,
    PositiveDuration,
    Section,
    TargetUrlValue,
    default,
    section,
)
from gateway.settings.schema.values import RefusedError, header_value


def _secret_field_value(value: object) -> SecretStr:
    text = header_value(value)
    if not text:
        raise RefusedError("a value is wanted here")
    return SecretStr(text)


SecretFieldValue: TypeAlias = Annotated[
    SecretStr,
    PlainValidator(_secret_field_value),
    PlainSerializer(lambda _: "***", when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
"""The value of a header field that is a secret."""


class LogSettings(Section):
    """What is written to standard output."""

    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: JSON unless standard output is a terminal, then for people (`console`)."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe that is written."
    )
    access: bool = Field(default=True, description="One line for every request.")


class MetricsSettings(Section):
    """What /metrics shows."""

    buckets: Annotated[Many[PositiveDuration], Field(min_length=1, max_length=64)] = default(
        ["5ms", "10ms", "25ms", "50ms", "75ms", "100ms", "250ms", "500ms", "750ms", "1s", "2.5s", "5s", "7.5s", "10s"],
        "Upper bounds of the buckets of every duration, ascending.",
    )

    @field_validator("buckets")
    @classmethod
    def _ascending(cls, buckets: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(buckets)):
            raise RefusedError("the bounds of buckets ascend")
        return buckets


class RequestId(Section):
    """How a request is named everywhere."""

    header: HeaderName = Field(
        default="X-Request-Id", description="Carries the request id to the client and to the upstream."
    )


class TracesSettings(Section):
    """Where spans are sent to, and of which requests."""

    endpoint: TargetUrlValue = Field(
        description="OTLP/HTTP with protobuf, with its path: `http://collector:4318/v1/traces`."
    )
    sample: Percent = default(
        "5%",
        "The share of the traces that begin here. With a `traceparent`, that decides; errors (a status of 500 or more, "
        "a reply that breaks off) are always exported.",
    )
    headers: dict[HeaderName, SecretFieldValue] = Field(
        default_factory=dict, description="Sent to the collector, such as its key. Never shown."
    )
    service_name: str = Field(
        default="gateway", min_length=1, max_length=255, description="`service.name` of all spans."
    )


class UsageSettings(Section):
    """What each key, organisation and route has used by day, for invoices."""

    retention: Annotated[PositiveDuration, Field(ge=86_400)] = default(
        "400d", "How long a day is kept after its end: 13 months."
    )
    max_rows: int = Field(
        default=100_000,
        ge=1000,
        le=10_000_000,
        description="Most rows of a day, one for each combination of organisation, key and route (and quota). "
        "Beyond it calls are counted with `(other)` for the route, the key and at last the organisation.",
    )


class Observability(Section):
    """Logs, metrics, request ids, traces, usage."""

    log: LogSettings = section(LogSettings, "What is written to standard output.")
    metrics: MetricsSettings = section(MetricsSettings, "What /metrics shows.")
    request_id: RequestId = section(RequestId, "How a request is named everywhere.")
    traces: TracesSettings | None = Field(
        default=None, description="Spans for OpenTelemetry, with the extra `otel`. Left out: none."
    )
    usage: UsageSettings | None = Field(
        default=None,
        description="Counts in Redis what each key, organisation and route uses by day. Left out: nothing is counted.",
    )
