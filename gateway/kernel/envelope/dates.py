"""Dates of header fields and of backends' JSON, as the contract writes them: ISO 8601, ending in Z."""

import re
from datetime import UTC, datetime, timedelta

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIXDATE = re.compile(r"[A-Za-z]{3,9}, (\d{2})[ -]([A-Z][a-z]{2})[ -](\d{4}|\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT")
_ASCTIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})")
_CONTRACT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def http_date(text: str) -> str | None:
    """An HTTP-date in any of its three forms (RFC 9110, 5.6.7) as ISO 8601; None when it is none."""
    if (match := _FIXDATE.fullmatch(text)) is not None:
        day, month, year, hour, minute, second = match.groups()
    elif (match := _ASCTIME.fullmatch(text)) is not None:
        month, day, hour, minute, second, year = match.groups()
    else:
        return None
    full_year = int(year) if len(year) == 4 else 1900 + int(year) + (100 if int(year) < 70 else 0)
    try:
        moment = datetime(full_year, _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return _written(moment)


def unix_date(seconds: int) -> str | None:
    """Seconds since 1970 as ISO 8601; None outside of the years 1 to 9999."""
    try:
        return _written(_EPOCH + timedelta(seconds=seconds))
    except OverflowError:
        return None


def iso_date(text: str) -> str | None:
    """A date in some form of ISO 8601, or an HTTP-date, as the contract wants it; None when it is none. UTC if it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return http_date(text)
    if _CONTRACT.fullmatch(text):
        return text
    try:
        return _written(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    except OverflowError:
        return None


def _written(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat() + "Z"
