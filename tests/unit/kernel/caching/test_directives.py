"""kernel/caching/directives.py: Cache-Control, and the stricter reading of what is wrong in it."""

import pytest

from gateway.kernel.caching.directives import Directives


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("", {}),
        ("max-age=60", {"max-age": "60"}),
        ('Public, MAX-AGE="60" , no-cache="a, b"', {"public": "", "max-age": "60", "no-cache": "a, b"}),
        ("max-age=60, max-age=5", {"max-age": "5"}),
        ("max-age=5, max-age=60", {"max-age": "5"}),
        ("max-age=60, max-age=x", {"max-age": "x"}),
        ("private;max-age=3", {"private;max-age": "3"}),
        (",,  ,", {}),
        ('private="', {"private": ""}),
        ("a" * 3000, {"no-store": ""}),
    ],
)
def test_directives_by_name(value: str, wanted: dict[str, str]) -> None:
    assert Directives.of(value) == wanted


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("60", 60), ("007", 7), ("-1", 0), ("1.5", 0), ("", 0), ("x", 0), ("٣", 0), ("9" * 30, 2**31)],
)
def test_seconds_that_are_none_are_0(text: str, seconds: int) -> None:
    assert Directives.of(f"max-age={text}").seconds("max-age") == seconds
    assert Directives.of("").seconds("max-age") is None
    assert Directives.of(f"max-age={2**31 + 7}").seconds("max-age") == 2**31
