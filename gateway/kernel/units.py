"""Durations, sizes and shares as people write them: `2.5s`, `8MiB`, `20%`.

A number without its unit is refused, because readers would disagree about its meaning. Arithmetic is exact: a value
that does not come out as whole microseconds or whole bytes is refused, not rounded. The same few defaults are read for
each part of a configuration, so what was read is remembered.
"""

import re
from fractions import Fraction
from functools import lru_cache

_DURATION_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_SIZE_BYTES = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_LONGEST_US = 10 * 366 * _DURATION_US["d"]
_LARGEST_BYTES = 1 << 50

DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)?(us|ms|s|m|h|d|w)$"
"""A regular expression for what `parse_duration` reads, for the JSON Schema."""
SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|TiB|[kK]B|MB|GB|TB)$"
"""A regular expression for what `parse_size` reads, for the JSON Schema."""

PERCENT_PATTERN = r"^[0-9]+(\.[0-9]+)?%$"
"""A regular expression for what `parse_percent` reads, for the JSON Schema."""

_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)([A-Za-z]*)")


@lru_cache(maxsize=256)
def parse_duration(text: str) -> float:
    """Return seconds. Raises ValueError with a text that says what to write."""
    return _parse(text, _DURATION_US, "a duration", "30s", _LONGEST_US, "10 years", "whole microseconds") / 1_000_000


@lru_cache(maxsize=256)
def parse_size(text: str) -> int:
    """Return bytes. Raises ValueError with a text that says what to write."""
    return _parse(text, _SIZE_BYTES, "a size", "8MiB", _LARGEST_BYTES, "1024TiB", "whole bytes")


def format_duration(seconds: float) -> str:
    """Return the shortest spelling that `parse_duration` reads back, in the largest unit that leaves a whole number."""
    return _format(round(seconds * 1_000_000), _DURATION_US, "0s")


def format_size(size_bytes: int) -> str:
    """Return the shortest spelling that `parse_size` reads back, in the largest unit that leaves a whole number."""
    return _format(size_bytes, {unit: size for unit, size in _SIZE_BYTES.items() if unit != "KB"}, "0B")


def parse_percent(text: str) -> float:
    """Return a share from 0 to 1. Raises ValueError with a text that says what to write."""
    match = _QUANTITY.fullmatch(text.removesuffix("%")) if text.endswith("%") else None
    if match is None or match[2]:
        raise ValueError("not a share; write a number and a percent sign, such as `20%`")
    share = Fraction(match[1]) / 100
    if share > 1:
        raise ValueError("too large; a share goes up to 100%")
    return float(share)


def format_percent(share: float) -> str:
    """Return the shortest spelling that `parse_percent` reads back, to a millionth of a percent."""
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + "%"


def _parse(text: str, units: dict[str, int], what: str, example: str, most: int, most_text: str, whole: str) -> int:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"not {what}; write a number and its unit, such as `{example}`")
    number, unit = match.groups()
    if not unit:
        raise ValueError(f"{what} needs its unit; write one of {', '.join(f'`{number}{name}`' for name in units)}")
    if unit not in units:
        raise ValueError(f"`{unit}` is not a unit of {what}; write one of {', '.join(f'`{name}`' for name in units)}")
    amount = Fraction(number) * units[unit]
    if amount > most:
        raise ValueError(f"too large; {what} goes up to {most_text}")
    if amount.denominator != 1:
        raise ValueError(f"too fine; {what} is counted in {whole}")
    return amount.numerator


def _format(amount: int, units: dict[str, int], nothing: str) -> str:
    if amount == 0:
        return nothing
    spellings = [f"{amount // size}{unit}" for unit, size in units.items() if amount % size == 0]
    return min(spellings, key=len)


def parse_count(text: str, most: int) -> int:
    """Return a whole number from 1 to `most`, written in digits. Raises ValueError with a text that says so."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 0 < int(text) <= most):
        raise ValueError(f"write a number from 1 to {most}")
    return int(text)
