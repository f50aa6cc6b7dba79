"""kernel/texts.py: what of a backend's text a client may see."""

import pytest

from gateway.kernel.texts import clean


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
