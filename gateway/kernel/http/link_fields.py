"""Parses Link header fields (RFC 8288), and removes links that a browser would run."""

import re
from itertools import islice
from typing import NamedTuple

from gateway.kernel.errors.markup import has_markup
from gateway.kernel.errors.sanitize import fit

_LINK = re.compile(r'<([^<>]*+)>((?:\s*+;\s*+[\w*!#$&+.^`|~-]++\s*+(?:=\s*+(?:"(?:[^"\\]|\\.)*+"|[^\s",;]*+))?+)*+)')
_PARAMETER = re.compile(r';\s*+([\w*!#$&+.^`|~-]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s",;]*+))')
_MOST_LINKS = 64
"""Links that are read, and parameters of one of them: a field may hold thousands, and each costs more than its bytes.
"""
_QUOTED_PAIR = re.compile(r"\\(.)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}:", re.IGNORECASE)
_SAFE_SCHEMES = frozenset({"http:", "https:", "mailto:", "urn:", "tel:"})
_DOUBTFUL = re.compile(
    r"[%\\(@]|&(?:[lgac]|#|tab|new|quot)|:(?!//)|<(?!https?://|[/?#.])|(?:pass|pwd|secret|key)|on[a-z]", re.IGNORECASE
)
"""Characters without which no link can be unsafe. Most fields are not examined further."""


class WebLink(NamedTuple):
    """One link. The names of `parameters` are in lower case; of those with the same name the first counts."""

    href: str
    parameters: dict[str, str]
    spelled: str


def parsed(value: str) -> list[WebLink]:
    """Return the links of a field value."""
    links = []
    for match in islice(_LINK.finditer(value), _MOST_LINKS):
        parameters: dict[str, str] = {}
        for parameter in islice(_PARAMETER.finditer(match[2]), _MOST_LINKS):
            parameters.setdefault(
                parameter[1].lower(), _QUOTED_PAIR.sub(r"\1", parameter[2] or "") or parameter[3] or ""
            )
        links.append(WebLink(match[1].strip(), parameters, match[0]))
    return links


def is_safe(href: str) -> bool:
    """Return whether `href` has a target, a scheme that runs nothing, and no secret."""
    scheme = _SCHEME.match(href)
    return (
        bool(href)
        and href.isprintable()
        and (scheme is None or scheme[0].lower() in _SAFE_SCHEMES)
        and fit(href) == href
    )


def safe_links(value: str) -> str:
    """Return a field value without the links that are not safe, "" when none is left. As it is when all are."""
    if _DOUBTFUL.search(value) is None:
        return value
    links = parsed(value)
    kept = [link for link in links if _may_go_on(link)]
    if len(kept) == len(links) and (links or fit(value) == value):
        return value
    return ", ".join([link.spelled for link in kept])


def _may_go_on(link: WebLink) -> bool:
    if link.href and not is_safe(link.href):
        return False
    return all(fit(text) == text for text in link.parameters.values()) and (
        bool(link.parameters) or not has_markup(link.spelled)
    )
