"""Makes Messages of a service's announcements in Deprecation (RFC 9745), Sunset (RFC 8594) and Warning (RFC 9111).

This is rule 9 of the contract.
"""

import re
from collections.abc import Callable, Iterable

from gateway.kernel.envelope.dates import http_date, unix_date
from gateway.kernel.envelope.write import render_message
from gateway.kernel.errors.sanitize import clean
from gateway.kernel.faults import Link
from gateway.kernel.http.link_fields import is_safe, parsed

MOST_NOTICES = 16

_FIELDS = frozenset({b"deprecation", b"sunset", b"warning", b"link"})
_WARNING = re.compile(r'[\s,]*+\d{3} [^\s"]++ "((?:[^"\\]|\\.)*+)"(?: "([^"]*+)")?')
"""RFC 7234, 5.5: warn-code SP warn-agent SP warn-text [SP warn-date]."""
_UNIX = re.compile(r"@(-?\d{1,15})")


def notices(fields: Iterable[tuple[bytes, bytes]], new_id: Callable[[], str]) -> list[bytes]:
    """Return a Message, as JSON, for each notice in `fields` (names in lower case), with ids from `new_id`."""
    values: dict[bytes, list[str]] = {name: [] for name in _FIELDS}
    for name, value in fields:
        if name in values:
            values[name].append(value.decode("latin-1").strip())
    found = [
        *(_deprecation(value) for value in values[b"deprecation"][:MOST_NOTICES]),
        *(_sunset(value) for value in values[b"sunset"][:MOST_NOTICES]),
        *(warning for value in values[b"warning"][:MOST_NOTICES] for warning in _warnings(value)),
    ]
    links = _links(", ".join(values[b"link"]))
    return [
        render_message(new_id(), "WARNING", text, date=date, links=links.get(relation, ()))
        for text, date, relation in [notice for notice in found if notice is not None][:MOST_NOTICES]
    ]


def _deprecation(value: str) -> tuple[str, str | None, str] | None:
    if value.lower() in {"", "false", "?0"}:
        return None
    unix = _UNIX.match(value)
    date = unix_date(int(unix[1])) if unix is not None else http_date(value)
    return "This part of the API is deprecated" + (f" as of {date}." if date else "."), date, "deprecation"


def _sunset(value: str) -> tuple[str, str | None, str] | None:
    date = http_date(value)
    if not value:
        return None
    return "This part of the API will cease to work" + (f" on {date}." if date else "."), date, "sunset"


def _warnings(value: str) -> list[tuple[str, str | None, str]]:
    found = []
    at = 0
    for _ in range(MOST_NOTICES):
        match = _WARNING.match(value, at)
        if match is None:
            break
        at = match.end()
        text = clean(_unquoted(match[1]))
        if text:
            found.append((text, http_date(match[2] or ""), "warning"))
    text = "" if at else clean(value)
    return [*found, (text, None, "warning")] if text else found


def _links(value: str) -> dict[str, list[Link]]:
    """Return the links of a Link field (RFC 8288) by relation."""
    found: dict[str, list[Link]] = {}
    for href, parameters, _ in parsed(value):
        for relation in {"deprecation", "sunset"}.intersection(parameters.get("rel", "").lower().split()):
            if is_safe(href):
                title = clean(parameters.get("title")) or relation.title()
                found.setdefault(relation, []).append(Link(href, title))
    return found


def _unquoted(text: str) -> str:
    """Return the inside of a quoted-string (RFC 9110, 5.6.4) without the backslashes that quote."""
    return text.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
