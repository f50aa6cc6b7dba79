"""Finds HTML, XML and script links in a text, also where they are written with entities, percent or backslash escapes.

A placeholder such as `<id>`, `List<String>` or `<title>` is no markup. Markup is what a browser would act on or lay
out: a tag that has attributes, a closing tag of HTML, an element that no text uses as a placeholder, an event handler,
a `javascript:` link. Every search takes time linear in the length of the text.
"""

import html
import re
from urllib.parse import unquote

_ELEMENT = re.compile(
    r"<(?:!doctype|!--|!\[cdata\[|\?(?:xml|php|=)"
    r"|/?(?:html|head|body|script|iframe|frameset|svg|math|img|embed|applet|br|hr|h[1-6]|div|span|pre|center|marquee|noscript|xmp"
    r"|plaintext|ul|ol|li|tbody|thead|tr|td|th|strong|em|tt|blockquote|textarea|isindex|bgsound)(?=[\s/>]|\Z)"
    r"|/?[abipqsu]\s?/?>)",
    re.IGNORECASE,
)
"""Elements that are markup even without attributes.

In the last row a letter needs its `>`: `x <p and q` compares numbers.
"""

_ATTRIBUTE = re.compile(r"<[a-z][^\s<>/]*[\s/][^<>]*=", re.IGNORECASE)
_HANDLER = re.compile(r"[\s/\"'>]on[a-z]{3,30}\s?=", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9:_.-]{0,40})\s?/?(?=[\s>])", re.IGNORECASE)
_WORDS_OF_HTML = frozenset({
    "title", "table", "style", "font", "frame", "object", "link", "base", "meta", "form", "input", "button", "select",
    "option", "label", "address", "code", "summary", "details", "section", "article", "header", "footer", "main",
    "menu", "nav", "audio", "video", "picture", "canvas", "caption", "template", "small", "dl", "dt", "dd", "var",
    "kbd", "samp", "sub", "sup", "abbr", "cite", "dialog", "figure",
})  # fmt: skip
"""Elements whose names are used as placeholders: a bare opening tag is none, a closing tag is markup."""

SCRIPT = re.compile(
    r"(?<![a-z])(?:javascript|vbscript|livescript):(?=\S)|(?<=[(\"'=<\[])\s?(?:javascript|vbscript):"
    r"|(?<![a-z])data:(?:[a-z]{1,30}/[a-z0-9.+-]{1,80})?(?:;|,(?=\S))",
    re.IGNORECASE,
)
"""The beginning of a link that a browser runs."""

_ESCAPE = re.compile(r"\\(?:u\{?00|x)([0-9a-f]{2})\}?", re.IGNORECASE)
_ENDLESS_ENTITY = re.compile(r"&#(?:\d{8}|x[0-9a-f]{8})", re.IGNORECASE)
_NOT_SEEN = dict.fromkeys(
    [*range(0x20), 0x7F, 0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)
"""Characters that browsers skip within the scheme of a link, or that are invisible."""
_MOST_PASSES = 3


def has_markup(text: str) -> bool:
    """Return whether `text`, as it stands, holds HTML or XML."""
    begins = text.find("<")
    if begins < 0:
        return False
    if _ELEMENT.search(text, begins) or _ATTRIBUTE.search(text, begins) or _HANDLER.search(text, begins):
        return True
    tags = [(bool(closes), name.lower()) for closes, name in _TAG.findall(text, begins)]
    opened = {name for closes, name in tags if not closes}
    return any(closes and (name in opened or name in _WORDS_OF_HTML) for closes, name in tags)


def spelled_out(text: str) -> str | None:
    """Return `text` with its entities, percent and backslash escapes replaced, three levels deep.

    None when an entity is longer than that of any character.
    """
    for _ in range(_MOST_PASSES):
        before = text
        if "&" in text:
            if _ENDLESS_ENTITY.search(text):
                return None
            text = html.unescape(text)
        if "%" in text:
            text = unquote(text)
        if "\\" in text:
            text = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
        if text == before:
            break
    return text


def is_active(text: str) -> bool:
    """Return whether `text` holds markup or a script link, in any spelling."""
    plain = spelled_out(text)
    if plain is None or has_markup(plain) or SCRIPT.search(plain):
        return True
    squeezed = plain.translate(_NOT_SEEN)
    return squeezed != plain and (has_markup(squeezed) or SCRIPT.search(squeezed) is not None)
