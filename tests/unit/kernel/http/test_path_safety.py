"""kernel/http/path_safety.py: one spelling, one reading."""

import pytest

from gateway.kernel.http.path_safety import readings


@pytest.mark.parametrize("path", ["/", "/v1/encodings", "/v1/a-b_c~d.e", "/v1/x/", "/v1/a+b", "/v1/a:b@c!$&'()*,="])
def test_plain_paths_read_as_they_stand(path: str) -> None:
    assert readings(path) == (path, path)


@pytest.mark.parametrize(
    ("path", "plain", "liberal"),
    [
        ("/v1/%61dmin", "/v1/admin", "/v1/admin"),
        ("/v1/a%2fb", "/v1/a%2Fb", "/v1/a/b"),
        ("/v1/a%2Fb%20c", "/v1/a%2Fb%20c", "/v1/a/b%20c"),
        ("/v1/admin;x=1", "/v1/admin;x=1", "/v1/admin"),
        ("/v1/a%3Bb", "/v1/a%3Bb", "/v1/a"),
        ("/v1/%2Fadmin", "/v1/%2Fadmin", "/v1/admin"),
        ("/v1/100%25", "/v1/100%25", "/v1/100%25"),
        ("/v1/%25252541", "/v1/%25252541", "/v1/%25252541"),
        ("/v1/a%5cb", "/v1/a%5Cb", "/v1/a%5Cb"),
        ("/.well-known/x", "/.well-known/x", "/.well-known/x"),
        ("/v1/...", "/v1/...", "/v1/..."),
        ("/v1/%C3%A9", "/v1/%C3%A9", "/v1/%C3%A9"),
    ],
)
def test_other_paths_have_a_plain_and_a_liberal_reading(path: str, plain: str, liberal: str) -> None:
    assert readings(path) == (plain, liberal)


@pytest.mark.parametrize(
    "path",
    [
        "", "v1", "*", "/v1/../admin", "/v1/./admin", "/..", "/.", "//v1", "/v1//x", "/v1/x//", "/v1\\x", "/v1/%2e%2e/x",
        "/v1/.%2E/x", "/v1/%2e/x", "/v1/..;/x", "/v1/.;a=b/x", "/v1/%252e%252e/x", "/v1/%25252e%25252e/x", "/v1/a%2f..%2fb", "/v1/a%2F..",
        "/v1/%", "/v1/%2", "/v1/%zz", "/v1/%00", "/v1/%0a", "/v1/%7f", "/v1/a b", "/v1/a\tb", "/v1/é", "/v1/a#b", "/v1/a?b", "/v1/\udc80",
        "/v1/..%5c..%5cx", "/v1/%2e%2e%3bx/y", "/v1/%c0%ae%c0%ae/x", "/v1/..%C0%AFx", "/v1/%e0%80%ae/x", "/v1/%25f0%2580%2580%25ae",
        "/v1/%252525252541", "/v1/%2500", "/v1/..%3Fx", "/v1/..%23/x", "/v1/a%5C..%5Cb",
    ],
)  # fmt: skip
def test_what_backends_might_read_differently_is_refused(path: str) -> None:
    assert readings(path) is None


@pytest.mark.parametrize("codes", [range(0xC2, 0xCA), range(0xC2, 0x100)], ids=["a few characters", "many"])
def test_every_escape_is_spelled_in_one_way(codes: range) -> None:
    plain = "/v1/a" + "".join([f"%{code:02X}+%25" for code in codes])
    assert readings(plain.lower().replace("a%", "%61%", 1)) == (plain, plain)
