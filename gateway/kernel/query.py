"""The API key in a URL: found in every spelling, and taken out of what goes on."""

import re

SHORTEST_SECRET = 8
"""What has fewer characters is nobody's key."""

_SEPARATORS = re.compile("([&;])")
_SUFFIX = re.compile(r"\[[^\]]*\]?\W*$")
_PADDING = "".join(map(chr, range(33))) + "\x7f\xa0'\"()[]{}<>.,:&=*!$\ufeff"
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")


def decode(text: str) -> str:
    """A query name or value as an HTML form means it: `+` is a space, escapes are bytes of UTF-8."""
    if "%" not in text and "+" not in text:
        return text
    raw = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text.replace("+", " "))
    return raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def take_key(query: str, name: str) -> tuple[list[str], str]:
    """The values of parameter `name` in `query`, and the query without them.

    Only the exact name counts as a key. What merely resembles it (other case, `_` for `-`, behind a `;` or a second
    `?`, with `[]` or white space around it) is taken out as well, because somebody's key may stand there by mistake.
    The rest stays byte for byte.
    """
    folded = fold(name)
    if "%" not in query and "+" not in query and folded not in fold(query):
        return [], query
    keys: list[str] = []
    kept: list[str] = []
    pieces = _SEPARATORS.split(query)
    for position in range(0, len(pieces), 2):
        raw_name, _, raw_value = pieces[position].partition("=")
        found = decode(raw_name)
        if _resembles(found, folded) or _resembles(decode(found), folded):
            if found == name and (position == 0 or pieces[position - 1] == "&"):
                keys.append(decode(raw_value))
            continue
        kept.append((pieces[position - 1] if kept else "") + pieces[position])
    return keys, "".join(kept)


def _resembles(found: str, folded: str) -> bool:
    return any(_SUFFIX.sub("", part).strip(_PADDING) == folded for part in fold(found).split("?"))


def drop_copies(query: str, secret: str) -> str:
    """`query` without the parameters in which `secret` stands, percent-encoded once or twice too."""
    if not holds(query, secret):
        return query
    pieces = _SEPARATORS.split(query)
    kept = [position for position in range(0, len(pieces), 2) if not holds(pieces[position], secret)]
    return "".join([(pieces[position - 1] if number else "") + pieces[position] for number, position in enumerate(kept)])


def holds(text: str, secret: str) -> bool:
    """Whether `secret` stands in `text`, percent-encoded once or twice too. What is short may stand there by chance."""
    if len(secret) < SHORTEST_SECRET:
        return False
    return secret in text or ("%" in text and secret in decode(decode(text)))


def fold(text: str) -> str:
    """`text` without what tells apart names that somebody may take for one another."""
    return text.lower().replace("_", "-")
