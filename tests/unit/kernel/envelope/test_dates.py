"""kernel/envelope/dates.py: every date that goes out ends in Z and parses."""

from datetime import datetime

import pytest

from gateway.kernel.envelope.dates import http_date, iso_date, unix_date


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
        ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"),
        ("Sunday, 06-Nov-26 08:49:37 GMT", "2026-11-06T08:49:37Z"),
        ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"),
        ("Sun Nov 16 08:49:37 1994", "1994-11-16T08:49:37Z"),
        ("Sun, 31 Feb 2026 08:49:37 GMT", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("Sun, 06 Nix 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 CET", None),
        ("1994-11-06", None),
        ("", None),
    ],
)
def test_http_date(text: str, date: str | None) -> None:
    assert http_date(text) == date


@pytest.mark.parametrize(
    ("seconds", "date"), [(0, "1970-01-01T00:00:00Z"), (1688169599, "2023-06-30T23:59:59Z"), (10**15, None)]
)
def test_unix_date(seconds: int, date: str | None) -> None:
    assert unix_date(seconds) == date


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2016-06-25T20:09:23.69Z", "2016-06-25T20:09:23.69Z"),
        ("2016-06-25T20:09:23.123456789Z", "2016-06-25T20:09:23.123456789Z"),
        ("2016-06-25T20:09:23", "2016-06-25T20:09:23Z"),
        ("2016-06-25 20:09:23Z", "2016-06-25T20:09:23Z"),
        ("2016-06-25T22:09:23+02:00", "2016-06-25T20:09:23Z"),
        ("2016-06-25", "2016-06-25T00:00:00Z"),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
        ("2016-02-30T00:00:00Z", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_iso_date(text: str, date: str | None) -> None:
    assert iso_date(text) == date
    if date is not None:
        datetime.fromisoformat(date)
