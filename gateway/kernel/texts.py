"""Texts of a backend, made fit to be shown to a client: one line, bounded, no markup, no stack trace, no control characters."""

import re

LONGEST_TEXT = 2000
"""In characters. More is cut off."""

_UNFIT = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " "),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, *range(0xD800, 0xE000)], None),
}
"""Control characters, what turns the direction of writing, byte order marks, lone surrogates."""

_TRACE = re.compile(r"Traceback \(most recent call last|\n[ \t]+at \S|\n[ \t]+File \"|\nCaused by: |\ngoroutine \d+ \[")
_MARKUP = re.compile(r"\A\s*<[!?/a-z]|<(?:!doctype|/?(?:html|head|body|script|style|title|h[1-6]|div|table|pre|br|hr|p)\b)", re.IGNORECASE)


def clean(text: object, longest: int = LONGEST_TEXT) -> str:
    """`text` as it may be shown, or "" when there is nothing to show. `longest` in characters."""
    if not isinstance(text, str):
        return ""
    text = text[: 4 * longest]
    trace = _TRACE.search(text)
    if trace is not None:
        text = text[: trace.start()]
    if "<" in text and _MARKUP.search(text):
        return ""
    text = " ".join(text.translate(_UNFIT).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
