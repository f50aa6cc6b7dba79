import pytest

from gateway.observe.redact import HIDDEN, redactor

CANARY = "gw_CANARY-0123.456~789"


def clean(**event: object) -> dict[str, object]:
    return redactor(["X-Api-Key", "X-Acme-Pass"])(None, "info", event)


@pytest.mark.parametrize(
    "name",
    ["key", "api_key", "apikey", "x-api-key", "X-API-Key", "X_Api_Key", "secret", "client_secret", "secretValue", "authorization", "proxy-authorization",
     "Cookie", "set-cookie", "password", "db_password", "token", "admin_token", "credentials", "X-Acme-Pass", "presented_key"],
)  # fmt: skip
def test_a_field_with_such_a_name_is_hidden(name: str) -> None:
    assert clean(**{name: CANARY}) == {name: HIDDEN}
    assert clean(headers={name: [CANARY]}) == {"headers": {name: HIDDEN}}
    assert clean(pairs=[(name, CANARY), (name.encode(), CANARY.encode())]) == {
        "pairs": [[name, HIDDEN], [name, HIDDEN]]
    }


@pytest.mark.parametrize("name", ["key_id", "keys", "key_prefix", "event", "tokens", "monkey", "organization"])
def test_others_are_shown(name: str) -> None:
    assert clean(**{name: "acme-ci"}) == {name: "acme-ci"}


@pytest.mark.parametrize(
    "text",
    [
        f"http://h/p?X-Api-Key={CANARY}",
        f"http://h/p?a=1&X-Api-Key={CANARY}&b=2#f",
        f"GET /p?x%2Dapi%2Dkey={CANARY} HTTP/1.1",
        f"GET /p?a=b;anything={CANARY} HTTP/1.1",
        f"400, message: b'GET /?k={CANARY} HTTP/1.1'",
        f"X-Api-Key: {CANARY}",
        f"x-api-key:{CANARY}\r\nHost: a",
        f"b'X-Api-Key: {CANARY}\\r\\n'",
        f"{{'X-Api-Key': '{CANARY}', 'Host': 'a'}}",
        f'{{"x_api_key": "{CANARY}"}}',
        f"[('X-Api-Key', '{CANARY}')]",
        f"(b'X-Api-Key', b'{CANARY}')",
        f"Authorization: Bearer {CANARY}",
        f"authorization: Basic {CANARY}",
        f"Cookie: session={CANARY}",
        f"X-Acme-Pass = {CANARY}",
        f"redis://user:{CANARY}@127.0.0.1:6379/0",
        f"rediss://:{CANARY}@h/0",
    ],
)
@pytest.mark.parametrize("wrap", [str, str.encode, ValueError, lambda text: [text], lambda text: {"a": (text,)}])
def test_a_secret_inside_a_text_is_hidden(text: str, wrap: type) -> None:
    shown = str(clean(event="failed", detail=wrap(text)))
    assert CANARY not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "text",
    [
        "started",
        "gateway.yaml:12:3: error: keys[0].expires: not a time",
        "listening on http://0.0.0.0:8080",
        "a=b c=d",
        "redis://127.0.0.1:6379/0",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert clean(event=text) == {"event": text}


def test_values_that_are_no_text_keep_their_type() -> None:
    assert clean(n=1, x=1.5, yes=True, none=None, names=["a", 2]) == {
        "n": 1,
        "x": 1.5,
        "yes": True,
        "none": None,
        "names": ["a", 2],
    }
