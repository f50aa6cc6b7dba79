"""kernel/errors/sanitize.py: what of a backend's text a client may see."""

import time

import pytest

from gateway.kernel.errors.sanitize import clean, fit, fit_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("  two\n lines\tand\x00more\x1b[31m ", "two lines and more [31m"),
        ("bidi\u202eevil\u2066 \ufeffbom", "bidievil bom"),
        ("half \ud800 pair", "half pair"),
        ("é 😀", "é 😀"),
        ("5 < 6 and List<String> is fine", "5 < 6 and List<String> is fine"),
        ("<html><body>no</body></html>", ""),
        ("  <!DOCTYPE html>", ""),
        ("<?xml version='1.0'?>", ""),
        ("Not found<br>nginx", ""),
        ("see </BODY>", ""),
        ("<id> must be a number", "<id> must be a number"),
        ("javascript:alert(1)", ""),
        ("[x](javascript:alert(1)) y", "[x]([…] y"),
        ("avatar data:image/png;base64,AAAA is too large", "avatar […] is too large"),
        ("cannot reach postgres://app:s3cret@db/x: boom", "cannot reach […] boom"),
        ("cannot reach postgres%3A%2F%2Fapp%3As3cret%40db%2Fx", ""),
        ("postgres://app:s3cret@db/x", ""),
        ("5 &lt; 6, 50% off", "5 &lt; 6, 50% off"),
        ("&#00000000000060;x", ""),
        ("a &amp; b \\n c", "a &amp; b \\n c"),
        ("boom\n\tat com.example.Secret(Secret.java:7)", "boom"),
        ("boom\n    at /srv/app/secret.js:7:1", "boom"),
        ('Traceback (most recent call last):\n  File "/srv/secret.py", line 7', ""),
        ('boom\n  File "/srv/secret.py", line 7', "boom"),
        ("boom\nCaused by: java.lang.Secret", "boom"),
        ("boom\ngoroutine 7 [running]:", "boom"),
        ("", ""),
        (None, ""),
        (7, ""),
        (["x"], ""),
    ],
)
def test_clean(text: object, shown: str) -> None:
    assert clean(text) == shown


def test_texts_are_bounded() -> None:
    assert clean("x" * 2000) == "x" * 2000
    assert clean("x" * 2001) == "x" * 1999 + "…"
    assert clean("abcdef", 3) == "ab…"
    assert len(clean("a " * 5_000_000)) == 2000


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"b \\u00e9 \\" c","b":[1e400,"\\ud800"]}',
        b'""',
        b"[1,null]",
        b'{"message":"two\\nlines","href":"https://x/a?b=c#d"}',
        b'"\\\\"',
    ],
)
def test_json_that_is_fit_stays_byte_for_byte(text: bytes) -> None:
    assert fit_json(text) == text


def test_json_that_is_not() -> None:
    text = b'{"<b>x</b>":"a","c":["x at a.B.c(D.java:1)",1.0,"\\u003cimg src=x onerror=alert(1)>"],"d":"redis://:p@h"}'
    assert fit_json(text) == b'{"":"a","c":["x",1.0,""],"d":""}'


@pytest.mark.parametrize(
    "atom",
    [
        "<",
        "<a ",
        "&",
        "%3",
        "&#",
        "\\u00",
        " on",
        "javascript:",
        "data:",
        "<!",
        "</a",
        '"',
        "\\",
        "\u200b",
        "(",
        "a=",
        "://",
        "&lt",
    ],
)
def test_any_text_costs_its_length(atom: str) -> None:
    """Were it quadratic in its length, this would take minutes."""
    began = time.process_time()
    fit(atom * (100_000 // len(atom)))
    assert time.process_time() - began < 2
