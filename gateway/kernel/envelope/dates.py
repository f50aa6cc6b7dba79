"""Dates of header fields and of backends' JSON, as the contract writes them: ISO 8601, ending in Z."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate

_HTTP_DATE = re.compile(
    r"[A-Za-z]{3,9}, \d{2}[ -][A-Z][a-z]{2}[ -](?:(?!00)\d{4}|\d{2}) \d{2}:\d{2}:\d{2} GMT"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} (?!00)\d{4}",
    re.ASCII,
)
"""The three forms of an HTTP-date. The standard library accepts many other texts."""
_CONTRACT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def http_date(text: str) -> str | None:
    """Return an HTTP-date in any of its three forms (RFC 9110, 5.6.7) as ISO 8601; None for any other text."""
    fields = parsedate(text) if _HTTP_DATE.fullmatch(text) else None
    if fields is None:
        return None
    try:
        return _written(datetime(*fields[:6], tzinfo=UTC))
    except ValueError:
        return None


def unix_date(seconds: int) -> str | None:
    """Return Unix time in seconds as ISO 8601; None outside the years 1 to 9999."""
    try:
        return _written(_EPOCH + timedelta(seconds=seconds))
    except OverflowError:
        return None


def iso_date(text: str) -> str | None:
    """Return a date in some form of ISO 8601, or an HTTP-date, as the contract wants it; None when it is none.

    UTC if it names no zone.
    """
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
