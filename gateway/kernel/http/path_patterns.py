"""Path patterns of routes: `/v1/encodings/{id}`, `/v1/downloads/{rest*}`.

A pattern is a sequence of segments. Literal segments are kept decoded, so that `/caf%C3%A9` and `/café` are one
pattern. A trailing slash is a last, empty literal: `/a` and `/a/` are different paths, as they are for most services.
"""

import re
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote


class Param(NamedTuple):
    """`{name}`: exactly one segment, and not an empty one."""

    name: str


class Rest(NamedTuple):
    """`{name*}`: everything that is left of the path. Always the last segment."""

    name: str


Segment: TypeAlias = str | Param | Rest

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\*?)\}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = {
    "?": "a pattern has no query",
    "#": "a pattern has no fragment",
    "\\": "a backslash never reaches a route",
    ";": "path parameters (`;`) never reach a route",
    "*": "a wildcard is written `{rest*}`",
}


def parse(pattern: str) -> tuple[Segment, ...]:
    """Return the segments of a pattern; `/` is one empty literal. Raises ValueError with a text for its author."""
    if not pattern.startswith("/"):
        raise ValueError("a path starts with `/`")
    segments = tuple(_segment(raw) for raw in pattern[1:].split("/"))
    if "" in segments[:-1]:
        raise ValueError("`//` never reaches a route")
    placed = [segment for segment in segments if not isinstance(segment, str)]
    if any(isinstance(segment, Rest) for segment in segments[:-1]):
        raise ValueError("`{…*}` takes everything that is left, so nothing may follow it")
    names = [segment.name for segment in placed]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"`{{{name}}}` stands here twice")
    return segments


def parse_prefix(prefix: str) -> tuple[str, ...]:
    """Return the literal segments of a prefix; `/` has none. Raises ValueError with a text for the prefix's author."""
    if prefix == "/":
        return ()
    segments = parse(prefix)
    literals = tuple(segment for segment in segments if isinstance(segment, str))
    if len(literals) != len(segments):
        raise ValueError("a prefix has no parameters; use `path` with `{rest*}` at its end")
    if literals[-1] == "":
        raise ValueError("a prefix has no slash at its end; it means this path and everything below it")
    return literals


def _segment(raw: str) -> Segment:
    if "{" in raw or "}" in raw:
        match = _PLACEHOLDER.fullmatch(raw)
        if match is None:
            raise ValueError(f"`{raw}` is not a parameter; a whole segment is `{{name}}`, or `{{name*}}` at the end")
        name, star = match.groups()
        return Rest(name) if star else Param(name)
    for character, reason in _FORBIDDEN.items():
        if character in raw:
            raise ValueError(reason)
    if _BAD_ESCAPE.search(raw):
        raise ValueError("`%` stands before two hexadecimal digits")
    try:
        literal = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("percent-encoded bytes are UTF-8") from None
    if literal in {".", ".."}:
        raise ValueError("dot segments never reach a route")
    if "/" in literal or "\\" in literal:
        raise ValueError("an encoded slash only matches a parameter")
    if ";" in literal:
        raise ValueError("an encoded semicolon only matches a parameter")
    if " " in raw or not literal.isprintable():
        raise ValueError("spaces are written `%20`, and control characters never reach a route")
    return literal
