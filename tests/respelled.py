"""Spellings of paths that some service takes for another one, and how services route: models of four kinds.

A model says which handler a target reaches, and the path that this handler stands for in its plain spelling; None for
none.
"""

import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

HANDLERS = (
    "/v1/orders",
    "/v1/orders/{id}",
    "/v1/admin",
    "/v1/items/{id}/parts",
    "/files/{rest*}",
    "/v1/Reports",
    "/caf%C3%A9/menu",
    "/",
)
"""What the services behind have, in the gateway's words."""


class Reached(NamedTuple):
    """`plain` is the path that a client who means no harm would have sent."""

    handler: str
    plain: str


Model = Callable[[str], Reached | None]


def _pattern(handler: str, segment: str, rest: str, tail: str, flags: int = 0) -> re.Pattern[str]:
    """Of the decoded path, or of the path as it is for services that do not decode before they route."""
    text = (
        re.escape(unquote(handler) if segment == "[^/]+" else handler)
        .replace(r"\{id\}", f"({segment})")
        .replace(r"\{rest\*\}", f"({rest})")
    )
    return re.compile(text + tail, flags)


def _model(read: Callable[[str], str], patterns: dict[str, re.Pattern[str]], *, encoded: bool) -> Model:
    def reached(target: str) -> Reached | None:
        path = read(target.partition("?")[0])
        for handler, pattern in patterns.items():
            found = pattern.fullmatch(path)
            if found:
                values = [unquote(value) if encoded else value for value in found.groups()]
                plain = handler
                for value in values:  # one parameter each
                    before, _, rest = plain.partition("{")
                    name, _, after = rest.partition("}")
                    plain = before + quote(value, safe="/" if name.endswith("*") else "") + after
                return Reached(handler, plain)
        return None

    return reached


def _wsgi(target: str) -> str:
    """PATH_INFO (PEP 3333), as frameworks decode it."""
    return unquote_to_bytes(target).decode("utf-8", "replace")


MODELS: dict[str, Model] = {
    # Not decoded before it is matched; any case; a slash at the end or none (path-to-regexp, not strict)
    "express": _model(
        str, {each: _pattern(each, "[^/#?]+?", ".*", r"/?", re.IGNORECASE) for each in HANDLERS}, encoded=True
    ),
    # The same after decoding, as Spring's older matcher, ASP.NET and servlets with a lenient mapping do, parameters cut
    # off
    "lenient": _model(
        lambda target: re.sub("/+", "/", re.sub(";[^/]*", "", unquote(unquote(target)).replace("\\", "/"))),
        {each: _pattern(each, "[^/]+", ".*", r"/?", re.IGNORECASE) for each in HANDLERS},
        encoded=False,
    ),
    "starlette": _model(unquote, {each: _pattern(each, "[^/]+", ".*", "") for each in HANDLERS}, encoded=False),
    "django": _model(_wsgi, {each: _pattern(each, "[^/]+", ".+", "") for each in HANDLERS}, encoded=False),
    "wsgi": _model(_wsgi, {each: _pattern(each, "[^/]+", ".*", "") for each in HANDLERS}, encoded=False),
}


def _at(chance: random.Random, path: str, change: Callable[[str], str]) -> str:
    """`path` with one of its characters but the first changed."""
    at = chance.randrange(1, len(path)) if len(path) > 1 else 0
    return path[:at] + change(path[at]) + path[at + 1 :]


def _inserted(chance: random.Random, path: str, text: str) -> str:
    at = chance.randrange(1, len(path) + 1)
    return path[:at] + text + path[at:]


def _beside_a_slash(chance: random.Random, path: str, text: str) -> str:
    """Before a slash or at the end, or behind one."""
    slashes = [at for at, char in enumerate(path) if char == "/"]
    at = chance.choice([*slashes[1:], *(slash + 1 for slash in slashes), len(path)])
    return path[:at] + text + path[at:]


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _deeper(chance: random.Random, path: str) -> str:
    """A percent sign that is encoded itself."""
    return path.replace("%", "%25", chance.choice([1, -1]))


def _full_width(char: str) -> str:
    return _escaped(chr(ord(char) + 0xFEE0)) if "!" <= char <= "~" else char


_PARTS = (
    ";", ";a", ";a=b", "%3B", "%3Bx", "%20", ".", "%2E", "%2e", "/", "//", "%2F", "%2f", "%5C", "%5c", "%00", "%0A", "%09", "%3F", "%3Fa", "%23",
    "/.", "/..", "%2F..", "/%2e%2e", "/..;", "/.;x", "/x/..", "%C2%A0", "%E2%80%8B", "%CC%81", "%C2%AD", "%FF", "%C0%AF", "%EF%BC%8F", "%E3%80%82",
    "%u002f", "%25u0061", "+", "!", "~", "%", "%7E", ",", "\\", "%5C..%5C", "%2525", "é",
)  # fmt: skip
_TWINS = {
    "k": "%E2%84%AA",
    "s": "%C5%BF",
    "i": "%C4%B1",
    "o": "%C2%BA",
    "1": "%C2%B9",
    "a": "%C3%A1",
    "e": "%C3%A9",
    "r": "%E1%B5%A3",
}


def respelled(chance: random.Random, path: str) -> str:
    """`path` after one to four changes, each of which some service undoes."""
    for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
        path = chance.choice(_CHANGES)(chance, path)
    return path if path.startswith("/") else "/" + path


_CHANGES: tuple[Callable[[random.Random, str], str], ...] = (
    lambda chance, path: _at(chance, path, str.swapcase),
    lambda chance, path: path.upper() if "%" not in path else path,
    lambda chance, path: path + "/",
    lambda chance, path: path.rstrip("/") or "/",
    lambda chance, path: _at(chance, path, _escaped),
    lambda chance, path: _at(chance, path, _escaped),
    lambda chance, path: path.replace(
        "/", chance.choice(("%2F", "%2f", "%5C", "//", "/./", "/;/")), chance.choice([1, 2])
    ),
    _deeper,
    _deeper,
    lambda chance, path: _at(chance, path, _full_width),
    lambda chance, path: _at(chance, path, lambda char: _TWINS.get(char.lower(), char)),
    lambda chance, path: _beside_a_slash(chance, path, chance.choice(_PARTS)),
    lambda chance, path: _beside_a_slash(chance, path, chance.choice(_PARTS)),
    lambda chance, path: _inserted(chance, path, chance.choice(_PARTS)),
    lambda chance, path: "/" + path,
    lambda chance, path: f"/x/..{path}",
    lambda chance, path: chance.choice(("/X", "/%2Fhost", "//host", "/public", "/api")) + path,
)

PATHS = (
    "/v1/orders",
    "/v1/orders/7",
    "/v1/admin",
    "/v1/items/a/parts",
    "/files/a/b",
    "/v1/Reports",
    "/caf%C3%A9/menu",
    "/public/v1/admin",
    "/",
)


def spellings(count: int, seed: int) -> Iterator[str]:
    """That many, the same for the same `seed`."""
    chance = random.Random(seed)
    for _ in range(count):
        yield respelled(chance, chance.choice(PATHS))
