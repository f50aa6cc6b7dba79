"""`observability`: what can be seen of requests, and where it is sent."""

import re
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, SecretStr, WithJsonSchema, field_validator

from gateway.kernel.faults import CATALOGUE
from gateway.settings.schema.types import (
    HeaderName,
    Many,
    Percent,
    PositiveDuration,
    Section,
    Size,
    TargetUrlValue,
    default,
    section,
)
from gateway.settings.schema.values import RefusedError, did_you_mean, header_value, text_of


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


_CLASSES = ("4xx", "5xx")
_STATUS = re.compile("[45][0-9][0-9]", re.ASCII)
_FIELD = re.compile(r"[^\s$.\[\]]{1,64}")
_JSON_PATH = re.compile(r"\$(\.[^\s.\[\]]{1,64}|\[\*\]){1,16}")


def _capture_condition(value: object) -> str:
    text = str(value) if type(value) is int else text_of(value, "a status, a class such as `5xx`, or a fault's name")
    if text in _CLASSES or text in CATALOGUE or _STATUS.fullmatch(text):
        return text
    raise RefusedError(
        f"`{text}` is neither a status from 400 to 599, nor a class of them such as `5xx`, nor the name of a fault",
        did_you_mean(text, [*_CLASSES, *CATALOGUE]) or "`gateway errors` lists the faults",
    )


def _redaction_rule(value: object) -> str:
    text = text_of(value, "the name of a field, or a path such as `$.card.number`,")
    if not (_JSON_PATH if text.startswith("$") else _FIELD).fullmatch(text):
        raise RefusedError(
            f"`{text}` is neither the name of a field nor a path in JSON",
            "write one such as `$.card.number`; `[*]` is each element of an array",
        )
    return text


CaptureCondition: TypeAlias = Annotated[
    str,
    PlainValidator(_capture_condition),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": [*_CLASSES, *CATALOGUE]},
                {"type": "string", "pattern": "^[45][0-9]{2}$"},
                {"type": "integer", "minimum": 400, "maximum": 599},
            ]
        }
    ),
]
RedactionRule: TypeAlias = Annotated[
    str, PlainValidator(_redaction_rule), WithJsonSchema({"type": "string", "examples": ["$.card.number"]})
]


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


class CaptureSettings(Section):
    """What operators may look at of exchanges that failed."""

    on: Annotated[Many[CaptureCondition], Field(min_length=1)] = Field(
        description="Which exchanges: statuses of replies, classes of them (`5xx`), and names of faults."
    )
    body: Annotated[Size, Field(le=16 << 10)] = default(
        "4KiB", "How much is kept of the body of the request and of that of the service's answer, 16 KiB at most."
    )
    share: Percent = default("100%", "The share of them that is kept.")
    max_per_second: int = Field(
        default=20, ge=1, le=10_000, description="Most of them that a worker keeps in a second; it skips the others."
    )
    redact: Many[RedactionRule] = Field(
        default=(), description="What is masked besides the usual names: names of fields, and paths in JSON bodies."
    )


class Observability(Section):
    """Logs, metrics, request ids, traces, usage, captures."""

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
    capture: CaptureSettings | None = Field(
        default=None,
        description="Keeps header fields and the start of bodies of failed exchanges, redacted. Left out: nothing.",
    )
