"""kernel/query.py: the key leaves the URL in every spelling."""

import pytest

from gateway.kernel.query import decode, take_key

NAME = "X-Api-Key"


@pytest.mark.parametrize(
    ("query", "keys", "rest"),
    [
        ("a=1&b=2", [], "a=1&b=2"),
        ("a=%41+b", [], "a=%41+b"),
        ("X-Api-Key=k", ["k"], ""),
        ("X-Api-Key", [""], ""),
        ("a=1&X-Api-Key=k&b=2", ["k"], "a=1&b=2"),
        ("X-Api-Key=k&a=%2F&b", ["k"], "a=%2F&b"),
        ("X-Api-Key=a&X-Api-Key=b", ["a", "b"], ""),
        ("X%2DApi%2DKey=%6b%2B", ["k+"], ""),
        ("X-Api-Key=a+b", ["a b"], ""),
        ("x-api-key=k&a=1", [], "a=1"),
        ("X_Api_Key=k&a=1", [], "a=1"),
        ("a=1;X-Api-Key=k;b=2", [], "a=1;b=2"),
        ("X%252DApi%252DKey=k&a=1", [], "a=1"),
        ("sort_x-api-key=k&x-api-keyword=w", [], "sort_x-api-key=k&x-api-keyword=w"),
        ("a=1&X-Api-Key[]=k&X-Api-Key%5B0%5D=k", [], "a=1"),
        ("?X-Api-Key=k&a?x-api-key=k&+X-Api-Key+=k&%00X-Api-Key=k", [], ""),
        ("my-x-api-key=k&a=1", [], "my-x-api-key=k&a=1"),
        ("&&a=1&X-Api-Key=k&", ["k"], "&&a=1&"),
        ("q=X-Api-Key", [], "q=X-Api-Key"),
    ],
)
def test_take_key(query: str, keys: list[str], rest: str) -> None:
    assert take_key(query, NAME) == (keys, rest)


@pytest.mark.parametrize(
    ("raw", "text"), [("plain", "plain"), ("a+b", "a b"), ("%C3%A9", "é"), ("%ff", "\udcff"), ("%zz", "%zz"), ("€+", "? ")]
)
def test_decode(raw: str, text: str) -> None:
    assert decode(raw) == text
