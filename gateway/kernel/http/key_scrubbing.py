"""Finds the API key in a URL in every spelling, and removes it from what is forwarded.

Law: all of this runs before the caller is identified, for every request. It takes time linear in the length of the
query, and no step in Python for each parameter or escape: the query is decoded and searched as a whole, and only the
parameters that are found are looked at one by one. There may be `MOST_KEYS` of those.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import islice

from gateway.kernel.http.percent_encoding import spellings, unescape
from gateway.kernel.key_format import PREFIX, without_keys

SHORTEST_SECRET = 8
"""The length of the shortest key, in characters."""

MOST_KEYS = 8
"""Keys, and parameters that look like one, in one request. A request with more is refused."""

_MOST_COPIES = 64
_PADDING = re.escape("".join(map(chr, range(2, 33))) + "\x7f\xa0'\"()[]{}<>.,:&=*!$\ufeff")
_MARKS = bytes.maketrans(b"\0\1+&;=", b"\2\2 \0\0\1")
"""Separators and the sign behind a name become marks, so that they are not taken for the same characters escaped."""
_SEPARATED = bytes.maketrans(b"\0&;", b"\2\0\0")
_SPACES = bytes.maketrans(b"+", b" ")


class TooManyKeysError(ValueError):
    """There are more than `MOST_KEYS` keys, or a great many copies of one."""


def decode(text: str) -> str:
    """Return a query name or value as an HTML form means it: `+` is a space, escapes are bytes of UTF-8."""
    if "%" not in text and "+" not in text:
        return text
    return unescape(text.replace("+", " ").encode("latin-1", "replace")).decode("utf-8", "surrogateescape")


def may_hold_key(query: str, name: str, key: str) -> bool:
    """Return whether `take_key` might find something in `query`, or `key` might stand there. `name` is as there."""
    return key in query or _may_name(query, fold(name))


def _may_name(query: str, folded: str) -> bool:
    return "%" in query or "+" in query or folded in fold(query)


def take_key(query: str, name: str) -> tuple[list[str], str]:
    """Return the values of parameter `name` in `query`, and the query without them. Raises TooManyKeysError.

    Only the exact name counts as a key. What merely resembles it (other case, `_` for `-`, behind a `;` or a second
    `?`, with `[]` or white space around it) is removed as well, because it may contain a key by mistake. The rest stays
    byte for byte.
    """
    folded = fold(name)
    if not _may_name(query, folded):
        return [], query
    matched = _resembling(query, folded)
    if not matched:
        return [], query
    spans = _spans(query, matched)
    keys: list[str] = []
    for start, end in spans:
        raw_name, _, raw_value = query[start:end].partition("=")
        if decode(raw_name) == name and (start == 0 or query[start - 1] == "&"):
            keys.append(decode(raw_value))
    return keys, _without(query, spans)


def _resembling(query: str, folded: str) -> set[int]:
    """Return the parameters whose names may stand for `folded`, also when encoded once or twice."""
    raw = query.encode("latin-1", "replace").translate(_MARKS)
    found: set[int] = set()
    for times in range(2):
        decoded = unescape(raw).translate(_SPACES)
        if times and decoded == raw:
            break
        text = fold(decoded.decode("utf-8", "surrogateescape"))
        if folded in text:
            for match in _resemblance(folded).finditer(text):
                found.add(text.count("\0", 0, match.start() + 1))
                if len(found) > MOST_KEYS:
                    raise TooManyKeysError
        raw = decoded
    return found


@lru_cache(maxsize=16)
def _resemblance(folded: str) -> re.Pattern[str]:
    """Return a name in a query with marks: the repeats in it are kept apart by what stands between them."""
    return re.compile(rf"(?:\A|\0)(?:[^\0\1]*\?)?[{_PADDING}]*{re.escape(folded)}[{_PADDING}]*(?=[\[?\0\1]|\Z)")


def secrets_of(keys: Iterable[str]) -> list[bytes]:
    """Return the `keys` that are long enough to search for, each once, for `contains_secret` and `drop_copies`.

    Raises TooManyKeysError.
    """
    found = {key.encode("utf-8", "surrogateescape") for key in keys if len(key) >= SHORTEST_SECRET}
    if len(found) > MOST_KEYS:
        raise TooManyKeysError
    return [secret.translate(_SPACES) for secret in found]


def contains_secret(text: bytes, secrets: list[bytes]) -> bool:
    """Return whether one of `secrets` stands in `text`, percent-encoded once or twice too."""
    return any(each.find(secret) >= 0 for each in spellings(text) for secret in secrets)


def drop_copies(query: str, secrets: list[bytes]) -> str:
    """Return `query` without the parameters in which one of `secrets` stands, percent-encoded once or twice too.

    Raises TooManyKeysError.
    """
    if not contains_secret(query.encode("latin-1", "replace"), secrets):
        return query
    marked = query.encode("latin-1", "replace").translate(_SEPARATED)
    dropped: set[int] = set()
    for each in spellings(marked):
        for secret in secrets:
            dropped.update(islice(_parameters_with(secret, each), _MOST_COPIES + 1))
    if len(dropped) > _MOST_COPIES:
        raise TooManyKeysError
    return _without(query, _spans(query, dropped))


def _parameters_with(secret: bytes, marked: bytes) -> Iterator[int]:
    number, at = 0, 0
    while (found := marked.find(secret, at)) >= 0:
        number += marked.count(b"\0", at, found)
        yield number
        at = marked.find(b"\0", found)
        if at < 0:
            return


def _spans(query: str, numbers: set[int]) -> list[tuple[int, int]]:
    """Yield where the parameters with these `numbers` begin and end, in order."""
    parameters = query.replace(";", "&")
    spans: list[tuple[int, int]] = []
    start = before = 0
    for number in sorted(numbers):
        start = len(query) - len(parameters[start:].split("&", number - before)[-1])
        end = parameters.find("&", start)
        spans.append((start, end if end >= 0 else len(query)))
        before = number
    return spans


def _without(query: str, spans: list[tuple[int, int]]) -> str:
    """Return `query` without these parameters, each with the separator before it; the first with the one after it."""
    kept: list[str] = []
    last = 0
    for start, end in spans:
        kept.append(query[last : max(last, start - 1)])
        last = end
    rest = "".join([*kept, query[last:]])
    return rest[1:] if spans and spans[0][0] == 0 else rest


def fold(text: str) -> str:
    """Return `text` without the differences between names that some software treats as equal."""
    return text.lower().replace("_", "-")


def path_without_keys(path: str, keys: Collection[str], name: str) -> str | None:
    """Return `path` without what looks like a key; None when it may contain one of `keys`.

    `name` is that of the parameter that carries keys, as `fold` returns it.
    """
    if not path.isascii():
        return None
    plain = decode(decode(path)) if "%" in path else path
    if any(key and (key in path or key in plain) for key in keys):
        return None
    if "=" in plain and f"{name}=" in fold(plain):
        return None
    shown = without_keys(path) if PREFIX in path else path
    return None if shown == path and plain is not path and without_keys(plain) != plain else shown
