"""`health` of an upstream: how its targets are asked whether they are well."""

from typing import Annotated, NamedTuple, TypeAlias

from pydantic import Field, PlainValidator, WithJsonSchema

from gateway.kernel import units
from gateway.settings.schema.types import Many, PositiveDuration, Section, default, in_time, spelled
from gateway.settings.schema.values import RefusedError, positive_duration, text_of

SHORTEST_S = 0.1


class Statuses(NamedTuple):
    """The statuses from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def statuses(value: object) -> Statuses:
    text = (
        str(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else text_of(value, "a status or a range of them")
    )
    first, dash, last = text.partition("-")
    if first.isdecimal() and (last.isdecimal() if dash else True) and text.isascii():
        found = Statuses(int(first), int(last or first))
        if 200 <= found.first <= found.last <= 599:
            return found
    raise RefusedError(f"`{text}` is no range of statuses from 200 to 599", "write one such as `204` or `200-399`")


def health_path(value: object) -> str:
    text = text_of(value, "a path such as `/healthz`")
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        raise RefusedError(f"`{text}` is not a path in printable ASCII that begins with `/`")
    return text


def interval(value: object) -> float:
    seconds = positive_duration(value)
    if seconds < SHORTEST_S:
        raise RefusedError(f"`{value}` is too often", "write `100ms` or more")
    return seconds


StatusRange: TypeAlias = Annotated[
    Statuses,
    PlainValidator(statuses),
    spelled,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 200, "maximum": 599},
                {"type": "string", "pattern": "^[2-5][0-9]{2}(-[2-5][0-9]{2})?$"},
            ]
        }
    ),
]
HealthPath: TypeAlias = Annotated[str, PlainValidator(health_path), WithJsonSchema({"type": "string", "pattern": "^/"})]
Interval: TypeAlias = Annotated[
    float, PlainValidator(interval), in_time, WithJsonSchema({"type": "string", "pattern": units.DURATION_PATTERN})
]


class Health(Section):
    """How targets are asked whether they are well: a GET on a connection of its own, from one worker of each node."""

    path: HealthPath = Field(
        description="What is asked for, below the path of each target's URL. Redirects are not followed."
    )
    interval: Interval = default("5s", "How often, give or take a tenth.")
    timeout: PositiveDuration = default("1s", "The head of the reply has arrived by then, connecting included.")
    healthy: int = Field(
        default=2, ge=1, le=100, description="Good replies in a row until a target that was down is called again."
    )
    unhealthy: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Failed checks in a row until one is not called any more. The first of all decides alone.",
    )
    expect: Annotated[Many[StatusRange], Field(min_length=1)] = Field(
        default=("200-399",),
        validate_default=True,
        description="Statuses of good replies, such as `204` and `200-399`.",
    )
