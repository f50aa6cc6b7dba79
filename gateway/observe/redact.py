"""Redacts secrets in log lines.

The gateway's own lines never name a key; this is for what others log: a library's warning with a URL in it, the message
of an exception that quotes a header.
"""

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

HIDDEN = "[redacted]"

_NAMES = frozenset(
    (
        "key",
        "apikey",
        "api_key",
        "x_api_key",
        "token",
        "authorization",
        "proxy_authorization",
        "cookie",
        "set_cookie",
        "passwd",
    )
)
_PARTS = ("secret", "password", "credential")
_ENDINGS = ("_key", "_apikey", "_token", "_authorization", "_cookie")

_QUERY = re.compile(r"""([?&;][^=?&;\s"'<>]*+=)[^&;\s"'<>]+""")
_USERINFO = re.compile(r"(://)[^/@\s]++@")


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _field_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return a secret behind one of `names`, whatever stands between them."""
    spelled = "|".join(
        sorted((re.escape(name).replace("_", "[-_]") for name in {*names} - {"key", "token"}), key=len, reverse=True)
    )
    return re.compile(
        rf"""(?i)(\b(?:{spelled})\b["']?\)?\s*+[:=,]\s*+(?:b?["'])?)(?:(?:bearer|basic)\s++)?[^\s"',;&)]++"""
    )


def redactor(secret_names: Iterable[str] = ()) -> Callable[[object, str, MutableMapping[str, Any]], dict[str, Any]]:
    """Return a structlog processor. `secret_names` are further header and query names that carry keys."""
    names = _NAMES | {_plain(name) for name in secret_names}
    field = _field_of(names)

    def secret(name: str) -> bool:
        plain = _plain(name)
        return plain in names or plain.endswith(_ENDINGS) or any(part in plain for part in _PARTS)

    def text(value: str) -> str:
        if "=" in value or ":" in value or "," in value:
            value = _USERINFO.sub(rf"\1{HIDDEN}@", value)
            value = field.sub(rf"\1{HIDDEN}", value)
            value = _QUERY.sub(rf"\1{HIDDEN}", value)
        return value

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return text(bytes(value).decode("latin-1"))
        if isinstance(value, Mapping):
            return {str(name): HIDDEN if secret(str(name)) else clean(item) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            items = list(value)
            # A header field as a pair: its name tells about its value.
            if len(items) == 2 and isinstance(items[0], str | bytes) and secret(clean(items[0])):
                return [clean(items[0]), HIDDEN]
            return [clean(item) for item in items]
        if value is None or isinstance(value, bool | int | float):
            return value
        return text(str(value))

    def process(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        return {name: HIDDEN if secret(name) else clean(value) for name, value in event.items()}

    return process
