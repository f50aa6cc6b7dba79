"""`load_balancing` of an upstream, `split` and `mirror` of a route: which target or upstream gets a call."""

from typing import Any, Literal

from pydantic import Field, model_validator

from gateway.settings.schema.types import Id, Percent, PositiveDuration, Section, default
from gateway.settings.schema.values import RefusedError


class ConsistentHash(Section):
    """What keeps calls together: all of the same value go to the same target, while it is up."""

    on: Literal["key", "organization", "header", "path_parameter"] = Field(
        description="The caller, its organisation, or a header field or parameter of the path called `name`."
    )
    name: str | None = Field(
        default=None, min_length=1, description="Of the header field, or of the `{parameter}` in `match.path`."
    )

    @model_validator(mode="after")
    def _named(self) -> "ConsistentHash":
        if (self.name is None) == (self.on in ("header", "path_parameter")):
            raise RefusedError("`name` goes with `on: header` and `on: path_parameter`, and with no other")
        return self


class LoadBalancing(Section):
    """Which of several targets gets a call. `load_balancing: round_robin` is short for `{policy: round_robin}`."""

    policy: Literal["least_request", "round_robin"] = Field(
        default="least_request",
        description="`least_request`: the less busy of two that are drawn by weight. `round_robin`: all in turn.",
    )
    consistent_hash: ConsistentHash | None = Field(default=None, description="Used in place of `policy`.")
    slow_start: PositiveDuration | None = Field(
        default=None, description="A target that is back gets a tenth of its weight, and all of it after this long."
    )
    panic_threshold: Percent = default(
        "0%",
        "When fewer of the targets of every priority are up, those of the best one are all called, ejected ones too.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> "LoadBalancing":
        if self.consistent_hash is not None and self.slow_start is not None:
            raise RefusedError("`slow_start` would move the calls that `consistent_hash` keeps together")
        if self.consistent_hash is not None and "policy" in self.model_fields_set:
            raise RefusedError("`consistent_hash` is used in place of `policy`")
        return self


def spelled_out(written: object) -> object:
    """Return `round_robin` as the section that it is short for."""
    return {"policy": written} if isinstance(written, str) else written


class SplitPart(Section):
    """One of several upstreams that share the callers of a route."""

    upstream: Id = Field(description="Where these callers go.")
    weight: int = Field(default=1, ge=0, le=1_000_000, description="Its share of the callers. 0: none at present.")


class MirrorSettings(Section):
    """Copies of calls, whose answers no client sees."""

    upstream: Id = Field(description="Where the copies go.")
    share: Percent = default("100%", "How many of the calls are copied.")
    compare: bool = Field(
        default=False, description="Counts the copies that are answered with another status, or JSON of another shape."
    )


def with_first_of_split(written: object) -> object:
    """Return a route as it is written, with the first upstream of its `split` as its `upstream`."""
    split = written.get("split") if isinstance(written, dict) else None
    if not isinstance(written, dict) or not split:
        return written
    if "upstream" in written:
        raise RefusedError("`split` is used in place of `upstream`")
    first = split[0] if isinstance(split, list | tuple) else None
    return {**written, "upstream": first["upstream"]} if isinstance(first, dict) and "upstream" in first else written


def either_upstream(schema: dict[str, Any]) -> None:
    """Change the JSON Schema of a route, which needs either of `upstream` and `split`."""
    schema["required"] = [name for name in schema["required"] if name != "upstream"]
    schema["anyOf"] = [{"required": ["upstream"]}, {"required": ["split"]}]
