"""`load_balancing` of an upstream: which of its targets gets a call."""

from typing import Literal

from pydantic import Field, model_validator

from gateway.settings.schema.types import Percent, PositiveDuration, Section, default
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
