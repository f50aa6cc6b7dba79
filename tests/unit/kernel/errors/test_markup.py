"""kernel/errors/markup.py: what a browser would act on, in any spelling."""

import html
from urllib.parse import quote

import pytest

from gateway.kernel.errors.markup import has_markup, is_active, spelled_out

ACTIVE = [
    "<script>alert(1)</script>", "<ScRiPt src=//e>", "<img src=x onerror=alert(1)>", "<IMG/SRC=x/ONERROR=alert(1)>", "<svg/onload=alert(1)>", "<svg>",
    "<iframe>", "<iframe src=//e", "a <math href=javascript:1>", "<a href='//e'>x</a>", "<x onclick=alert(1)>", "<x/onfocus=alert(1) autofocus>",
    "<details open ontoggle=alert(1)>", "<input onfocus=alert(1)>", "<form><button formaction=//e>", "<!--[if]>", "<!DOCTYPE html>", "<?xml version='1.0'?>",
    "<![CDATA[x]]>", "<body>", "no</title>", "<error>x</error>", "<br/>", "<p>x", "<b >x", "<style>x</style>", "<object data=//e>", "<a\nhref=//e>", "<img",
]  # fmt: skip
TEXTS = [
    "<id> must be a number", "<title> is required", "Expected <object>, got <nil>", "List<String> and Map<String, Object>", "a < b > c", "1 <2 and 3>2",
    "x <p and q", "Expected </item>", "<foo.bar> <a-b> <a_1>", "i<3", "<", "<>", "a <- b", "if on = 1", "on=1 is no option",
]  # fmt: skip


@pytest.mark.parametrize("text", ACTIVE)
def test_markup(text: str) -> None:
    assert has_markup(text)


@pytest.mark.parametrize("text", TEXTS)
def test_text(text: str) -> None:
    assert not has_markup(text)
    assert not is_active(text)


@pytest.mark.parametrize(
    "text",
    [
        *ACTIVE,
        "javascript:alert(1)",
        "[x](vbscript:x)",
        "data:text/html,x",
        "[x](javascript: alert(1))",
        "data:;base64,x",
    ],
)
def test_every_spelling_is_seen_through(text: str) -> None:
    spellings = [
        html.escape(text),
        html.escape(html.escape(text)),
        quote(text, safe=""),
        quote(quote(text, safe=""), safe=""),
        "".join([f"&#{ord(letter)};" for letter in text]),
        "".join([f"&#x{ord(letter):x}" for letter in text]),
        "".join([f"\\u{ord(letter):04x}" for letter in text]),
        "".join([f"\\x{ord(letter):02x}" for letter in text]),
    ]
    assert [spelling for spelling in [text, *spellings] if not is_active(spelling)] == []


@pytest.mark.parametrize(
    "text", ["java\tscript:alert(1)", "java\u200bscript:x", "<scr\x00ipt>", "<i\x00mg src=x>", "&#0000000000060;x"]
)
def test_characters_that_are_not_seen_hide_nothing(text: str) -> None:
    assert is_active(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("5 &lt; 6", "5 < 6"),
        ("50% off", "50% off"),
        ("a%20b", "a b"),
        ("R&D", "R&D"),
        ("\\u0041\\n", "A\\n"),
        ("&#99999999;", None),
        ("plain", "plain"),
        ("%2525253C", "%3C"),
    ],
)
def test_spelled_out(text: str, plain: str | None) -> None:
    assert spelled_out(text) == plain


@pytest.mark.parametrize("text", ["language JavaScript: not known", "data: none", "metadata:x", "a javascript file"])
def test_words_are_no_links(text: str) -> None:
    assert not is_active(text)
