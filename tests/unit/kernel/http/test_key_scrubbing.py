"""kernel/http/key_scrubbing.py: the key leaves the URL in every spelling."""

import pytest

from gateway.kernel.http.key_scrubbing import (
    MOST_KEYS,
    TooManyKeysError,
    contains_secret,
    decode,
    drop_copies,
    fold,
    path_without_keys,
    secrets_of,
    take_key,
)

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
    ("raw", "text"),
    [("plain", "plain"), ("a+b", "a b"), ("%C3%A9", "é"), ("%ff", "\udcff"), ("%zz", "%zz"), ("€+", "? ")],
)
def test_decode(raw: str, text: str) -> None:
    assert decode(raw) == text


def test_brackets_in_any_number_and_order_do_not_hide_a_key() -> None:
    for name in ("X-Api-Key[", "X-Api-Key[][a]", "X-Api-Key[a]b", "[X-Api-Key]", "X-Api-Key[[[", "?[X-Api-Key"):
        assert take_key(f"a=1&{name}=k", NAME) == ([], "a=1"), name
    assert take_key("+" + "[" * 1400 + "a", NAME) == ([], "+" + "[" * 1400 + "a")


def test_more_keys_than_anybody_has() -> None:
    assert len(take_key("&".join(["X-Api-Key=a"] * MOST_KEYS), NAME)[0]) == MOST_KEYS
    with pytest.raises(TooManyKeysError):
        take_key("&".join(["X-Api-Key=a"] * (MOST_KEYS + 1)), NAME)
    with pytest.raises(TooManyKeysError):
        secrets_of(f"secret-{number}" for number in range(MOST_KEYS + 1))
    with pytest.raises(TooManyKeysError):
        drop_copies("&".join(["a=a-secret"] * 65), [b"a-secret"])
    assert secrets_of(["short", "a-secret", "a-secret"]) == [b"a-secret"]


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("a=a-secret&b=1", "b=1"),
        ("b=1;a=%61-secret&c", "b=1&c"),
        ("b&a=%2561-secret", "b"),
        ("x%26a-secret;a-secret;b", "b"),
        ("b=1", "b=1"),
        ("a-secret", ""),
        ("a=a+secret%2b", "a=a+secret%2b"),
    ],
)
def test_copies_are_dropped(query: str, left: str) -> None:
    assert drop_copies(query, [b"a-secret"]) == left


def test_a_space_may_be_written_as_a_plus() -> None:
    secrets = secrets_of(["my secret", "its+secret"])
    assert all(
        contains_secret(text, secrets) for text in (b"my+secret", b"my%20secret", b"its%2bsecret", b"%69ts%252Bsecret")
    )
    assert not contains_secret(b"no%20secret", secrets)


MADE = "gw_" + "a1B2" * 10


@pytest.mark.parametrize(
    ("path", "keys", "shown"),
    [
        ("/v1/orders", [], "/v1/orders"),
        ("/v1/orders", ["", "secret-1"], "/v1/orders"),
        ("/v1/secret-1/x", ["other", "secret-1"], None),
        ("/v1/%73ecret-1", ["secret-1"], None),
        ("/v1/%2573ecret-1", ["secret-1"], None),
        ("/v1/x;a=1", [], "/v1/x;a=1"),
        ("/v1/x;X-Api-Key=1", [], None),
        ("/v1/x;x_api_key%3D1", [], None),
        ("/v1/é", [], None),
        (f"/v1/{MADE}", [], "/v1/gw_***"),
        (f"/v1/%67w{MADE[2:]}", [], None),
        ("/v1/%67w_orders", [], "/v1/%67w_orders"),
    ],
)
def test_a_path_is_shown_without_keys_or_not_at_all(path: str, keys: list[str], shown: str | None) -> None:
    assert path_without_keys(path, keys, fold("X-Api-Key")) == shown
