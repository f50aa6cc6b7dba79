"""`compression`: what the gateway does with whole replies."""

from typing import Literal

from pydantic import Field, field_validator

from gateway.settings.schema.types import Many, Section, Size, default
from gateway.settings.schema.values import RefusedError


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
