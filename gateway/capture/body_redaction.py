"""Masks what may be secret in the start of a body: in JSON, also when it is cut off or broken, and in forms.

Laws: it takes time linear in the text. Nothing that is neither JSON nor a form is ever shown, because there secrets
cannot be told from the rest.
"""

import re
from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from gateway.kernel.http.key_scrubbing import decode, fold

HIDDEN = "***"
EACH = "*"
"""The part of a path that stands for each element of an array."""

RedactableKind: TypeAlias = Literal["json", "form"]

SECRET_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "credentials",
    "authorization",
    "cookie",
    "set-cookie",
    "token",
    "access-token",
    "refresh-token",
    "id-token",
    "auth-token",
    "api-key",
    "private-key",
    "client-secret",
    "session-id",
    "card-number",
    "cvc",
    "cvv",
    "pin",
)
"""Names of fields that are masked in any case. Case, `-` and `_` make no difference."""
_PARTS = ("password", "secret", "credential")
_ENDINGS = ("token", "apikey", "privatekey")

_ESCAPED = "\0\0"
"""Stands for an escaped backslash or quote while strings are looked for."""
_TOKEN = re.compile(r'"[^"]*+"?|[\[\]{}:,]|[^\s\[\]{}:,"]++')
_PATH_PART = re.compile(r"\.([^\s.\[\]]+)|\[\*\]")
_SCHEME = r"(?:(?:api-?key|basic|bearer|digest|negotiate|token)\s++)?+"
_VALUE = rf"""(?!"?\*\*\*){_SCHEME}(?:"[^"]*+"?|\0++[^"]*+|'[^']*+'?|[\[{{][\s\S]*+|[^\s,;&"'}}\]\\\0<]++)"""
"""What stands in quotes that are escaped is masked up to the end of the string that it is in, as what is quoted there
may have escapes of its own. What begins with a bracket is masked with all that follows.
"""
_PASSWORD = re.compile(r"""(://[^\s:@/"]*+:)[^\s@/"]++(?=@)""")
"""The one in a URL."""


def kind_of(content_type: str) -> RedactableKind | None:
    """Return how the body of this Content-Type is redacted, None if it cannot be."""
    essence = content_type.partition(";")[0].strip().lower()
    if essence.endswith(("/json", "+json")):
        return "json"
    return "form" if essence == "application/x-www-form-urlencoded" else None


class BodyRedaction:
    """Masks the values of fields. `rules` are names of fields, and paths such as `$.card.number` or `$.items[*].pin`.

    `key_names` are the names by which clients send keys.
    """

    def __init__(self, rules: Iterable[str], key_names: Iterable[str]) -> None:
        rules = [*rules]
        names = {fold(name) for name in (*SECRET_NAMES, *key_names, *(each for each in rules if each[:1] != "$"))}
        self._names = frozenset(map(_squeezed, names))
        self._keys = frozenset(map(fold, key_names))
        self._paths = frozenset(tuple(_parts(rule)) for rule in rules if rule[:1] == "$")
        self._longest = max(map(len, self._paths), default=0)
        self._written = members_of(names)

    def is_secret(self, name: str) -> bool:
        """Return whether the field with this name is masked wherever it stands."""
        plain = _squeezed(fold(name))
        return plain in self._names or plain.endswith(_ENDINGS) or any(part in plain for part in _PARTS)

    def of(self, kind: RedactableKind, text: str) -> str:
        """Return `text`, the start of a body, without the values of secret fields."""
        if kind == "form":
            return self.form(text)
        return self._members_in(self._json(text))

    def form(self, text: str) -> str:
        """Return a form, or the query of a URL, without the values of secret fields."""
        return "&".join([self._parameter(each) for each in text.split("&")])

    def _parameter(self, written: str) -> str:
        name = written.partition("=")[0]
        if any(key in fold(decode(decode(written))) for key in self._keys):
            return HIDDEN
        if self.is_secret(decode(name)) or self._holds_secret(decode(written)):
            return f"{name}={HIDDEN}"
        return written

    def _holds_secret(self, text: str) -> bool:
        """Return whether `text`, such as JSON in a form, has what `_members_in` masks."""
        return self._members_in(text) != text

    def _members_in(self, text: str) -> str:
        """Mask what looks like a name and its value, which may stand in a string, or in what is no JSON at all."""
        kept: list[str] = []
        copied = 0
        for found in self._written.finditer(_without_escapes(text)):
            kept.append(text[copied : found.end(1)] + HIDDEN)
            copied = found.end()
        return _PASSWORD.sub(rf"\1{HIDDEN}", "".join([*kept, text[copied:]]))

    def _json(self, text: str) -> str:
        kept: list[str] = []
        copied = hidden_at = depth = 0
        path: list[str] = []
        value_due = True
        for token in _TOKEN.finditer(_without_escapes(text)):
            first = token[0][0]
            if depth:
                depth += (first in "[{") - (first in "]}")
                if not depth:
                    kept.append(f'{text[copied:hidden_at]}"{HIDDEN}"')
                    copied = token.end()
            elif first in "[{":
                if value_due and self._is_hidden(path):
                    hidden_at, depth = token.start(), 1
                else:
                    path.append(EACH if first == "[" else "")
                    value_due = first == "["
            elif first in "]}":
                del path[-1:]
                value_due = False
            elif first == ",":
                value_due = not path or path[-1] == EACH
            elif first == ":":
                value_due = True
            elif not value_due:
                if path and first == '"':
                    path[-1] = _name(text[token.start() : token.end()])
            elif self._is_hidden(path):
                kept.append(f'{text[copied : token.start()]}"{HIDDEN}"')
                copied = token.end()
        return "".join([*kept, f'{text[copied:hidden_at]}"{HIDDEN}"' if depth else text[copied:]])

    def _is_hidden(self, path: list[str]) -> bool:
        """Return whether the value at `path` is secret. Paths longer than those of the rules cost nothing."""
        if not path:
            return False
        if len(path) <= self._longest and tuple(path) in self._paths:
            return True
        return path[-1] != EACH and self.is_secret(path[-1])


def members_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return a name and its value, in JSON or in whatever resembles it. `names` are folded."""
    spelled = "|".join([re.escape(name).replace(r"\-", "[-_]?") for name in sorted(names, key=len, reverse=True)])
    any_name = rf"(?<![a-z])(?:{spelled})|password|secret|credential|token|api[-_]?key|private[-_]?key"
    return re.compile(rf"((?:{any_name})[\\\"'\0]*+\s*+(?:=>|[:=>])\s*+){_VALUE}", re.IGNORECASE)


def _without_escapes(text: str) -> str:
    """Return `text`, as long as it is, without escaped backslashes and quotes: what is left of those begins or ends."""
    if "\\" not in text:
        return text
    text = text.replace(r"\\", _ESCAPED).replace(r"\"", _ESCAPED)
    return text.replace(r"\u0022", 3 * _ESCAPED).replace(r"\u0027", 3 * _ESCAPED)


def _parts(rule: str) -> list[str]:
    return [match[1] or EACH for match in _PATH_PART.finditer(rule)]


def _squeezed(folded: str) -> str:
    return folded.replace("-", "")


def _name(token: str) -> str:
    if "\\" not in token:
        return token.strip('"')
    try:
        return str(msgspec.json.decode(token))
    except ValueError:  # a broken escape; whoever reads it leniently sees this name
        return token.strip('"').replace("\\", "")
