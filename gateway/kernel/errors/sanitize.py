"""Makes texts of a service fit for clients.

The result is one line of bounded length, without markup, control characters and internals of the service.
"""

import re

import msgspec

from gateway.kernel.envelope.raw_json import decode, quote
from gateway.kernel.errors.leaks import REDACTED, without_connections, without_trace
from gateway.kernel.errors.markup import SCRIPT, has_markup, is_active, spelled_out

LONGEST_TEXT = 2000
"""The longest text that is shown, in characters. The rest is cut off."""

_TEXT = msgspec.json.Decoder(str)
_UNFIT = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " "),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, *range(0xD800, 0xE000)], None),
}
"""Control characters, what turns the direction of writing, byte order marks, lone surrogates."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?+', re.DOTALL)
_NOTHING = " \t\r\n.,:;!?()[]…'\"`-"


def fit(text: str) -> str:
    """Return `text` without stack trace and connection strings; "" if it holds markup, or nothing else is left.

    Takes time linear in the length of `text`.
    """
    kept = without_trace(text)
    if has_markup(kept) or SCRIPT.match(kept.lstrip()):
        return ""
    kept = without_connections(kept)
    if SCRIPT.search(kept):
        kept = " ".join([_without_script(word) for word in kept.split(" ")])
    if is_active(kept):
        return ""
    if "%" in kept or "&" in kept or "\\" in kept:
        plain = spelled_out(kept)
        if plain is None or without_connections(plain) != plain or without_trace(plain) != plain:
            return ""
    return "" if kept != text and not kept.strip(_NOTHING) else kept


def fit_json(text: bytes) -> bytes:
    """Return `text`, valid JSON, with every string in it fit to be shown; unchanged when all are."""
    return _STRING.sub(_fit_string, text)


def clean(text: object, longest: int = LONGEST_TEXT) -> str:
    """Return `text` as it may be shown, or "" when there is nothing to show. `longest` in characters."""
    if not isinstance(text, str):
        return ""
    text = " ".join(fit(text[: 4 * longest]).translate(_UNFIT).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _fit_string(found: "re.Match[bytes]") -> bytes:
    spelled = found[0]
    text = decode(_TEXT, spelled) or ""
    shown = fit(text)
    return spelled if shown == text else quote(shown)


def _without_script(word: str) -> str:
    link = SCRIPT.search(word)
    return word if link is None else word[: link.start()] + REDACTED
