"""The API key in a URL: found in every spelling, and taken out of what goes on."""

import re

_SEPARATORS = re.compile("([&;])")
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")


def decode(text: str) -> str:
    """A query name or value as an HTML form means it: `+` is a space, escapes are bytes of UTF-8."""
    if "%" not in text and "+" not in text:
        return text
    raw = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text.replace("+", " "))
    return raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def take_key(query: str, name: str) -> tuple[list[str], str]:
    """The values of parameter `name` in `query`, and the query without them.

    Only the exact name counts as a key. What merely resembles it (other case, `_` for `-`, behind a `;`) is taken
    out as well, because somebody's key may stand there by mistake. The rest stays byte for byte.
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
        if fold(found) == folded or folded in fold(decode(found)):
            if found == name and (position == 0 or pieces[position - 1] == "&"):
                keys.append(decode(raw_value))
            continue
        kept.append((pieces[position - 1] if kept else "") + pieces[position])
    return keys, "".join(kept)


def fold(text: str) -> str:
    """`text` without what tells apart names that somebody may take for one another."""
    return text.lower().replace("_", "-")
