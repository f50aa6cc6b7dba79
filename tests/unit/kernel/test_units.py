import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.units import (
    DURATION_PATTERN,
    PERCENT_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_percent,
    format_size,
    parse_count,
    parse_duration,
    parse_percent,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("10us", 0.00001),
        ("500ms", 0.5),
        ("1s", 1.0),
        ("2.5s", 2.5),
        ("0.1ms", 0.0001),
        ("1m", 60.0),
        ("1.5h", 5400.0),
        ("24h", 86400.0),
        ("1d", 86400.0),
        ("2w", 1209600.0),
        ("3660d", 316224000.0),
    ],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert re.search(DURATION_PATTERN, text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0),
        ("512B", 512),
        ("16KiB", 16384),
        ("8MiB", 8388608),
        ("1.5KiB", 1536),
        ("1kB", 1000),
        ("1KB", 1000),
        ("2MB", 2_000_000),
        ("1GB", 10**9),
        ("1GiB", 2**30),
        ("1TiB", 2**40),
        ("1TB", 10**12),
    ],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert re.search(SIZE_PATTERN, text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("30", "a duration needs its unit; write one of `30us`, `30ms`, `30s`, `30m`, `30h`, `30d`, `30w`"),
        ("", "not a duration; write a number and its unit, such as `30s`"),
        ("-1s", "not a duration; write a number and its unit, such as `30s`"),
        ("1 s", "not a duration; write a number and its unit, such as `30s`"),
        ("1h30m", "not a duration; write a number and its unit, such as `30s`"),
        (".5s", "not a duration; write a number and its unit, such as `30s`"),
        ("1e3s", "not a duration; write a number and its unit, such as `30s`"),
        ("٣s", "not a duration; write a number and its unit, such as `30s`"),
        ("5min", "`min` is not a unit of a duration; write one of `us`, `ms`, `s`, `m`, `h`, `d`, `w`"),
        ("1S", "`S` is not a unit of a duration; write one of `us`, `ms`, `s`, `m`, `h`, `d`, `w`"),
        ("0.5us", "too fine; a duration is counted in whole microseconds"),
        ("4000d", "too large; a duration goes up to 10 years"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_to_write(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "8M",
            "`M` is not a unit of a size; write one of `B`, `KiB`, `MiB`, `GiB`, `TiB`, `kB`, `KB`, `MB`, `GB`, `TB`",
        ),
        ("0.5B", "too fine; a size is counted in whole bytes"),
        ("1025TiB", "too large; a size goes up to 1024TiB"),
    ],
)
def test_what_is_no_size_is_refused_with_what_to_write(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.5, "500ms"), (60.0, "1m"), (90.0, "90s"), (86400.0, "1d"), (0.00001, "10us"), (2.5, "2500ms")],
)
def test_durations_are_printed_short(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (1023, "1023B"), (8388608, "8MiB"), (10**6, "1MB"), (1536, "1536B")]
)
def test_sizes_are_printed_short(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(0, 10**15))
def test_durations_survive_a_round_trip_to_the_microsecond(microseconds: int) -> None:
    microseconds %= 316_000_000_000_000
    assert round(parse_duration(format_duration(microseconds / 1_000_000)) * 1_000_000) == microseconds


@given(st.integers(0, 2**50))
def test_sizes_survive_a_round_trip(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.text())
def test_whatever_is_read_fits_the_pattern_that_editors_get(text: str) -> None:
    for parse, pattern in ((parse_duration, DURATION_PATTERN), (parse_size, SIZE_PATTERN)):
        try:
            parse(text)
        except ValueError:
            continue
        assert re.search(pattern, text)


@pytest.mark.parametrize(("text", "share"), [("0%", 0.0), ("20%", 0.2), ("12.5%", 0.125), ("100%", 1.0)])
def test_shares_are_parts_of_one(text: str, share: float) -> None:
    assert parse_percent(text) == share
    assert format_percent(share) == text
    assert re.search(PERCENT_PATTERN, text)


@pytest.mark.parametrize("text", ["20", "%", "1s%", "100.1%", "-1%", "20 %"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="share"):
        parse_percent(text)


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("20", 20), ("07", 7)])
def test_a_count_is_written_in_digits(text: str, number: int) -> None:
    assert parse_count(text, 20) == number


@pytest.mark.parametrize("text", ["", "0", "21", "007", "-1", "+1", "1.0", "²", "many", " 1"])
def test_another_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^write a number from 1 to 20$"):
        parse_count(text, 20)
