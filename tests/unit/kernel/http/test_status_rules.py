"""kernel/http/status_rules.py: a status comes with the fields that make it one."""

import pytest

from gateway.kernel.http.response_headers import JSON_TYPE
from gateway.kernel.http.status_rules import CHALLENGE, RETRY_SHORTLY, completed, has_body


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (401, CHALLENGE),
        (405, ("Allow", "GET, POST")),
        (429, RETRY_SHORTLY),
        (503, RETRY_SHORTLY),
        (400, None),
        (403, None),
        (500, None),
        (502, None),
    ],
)
def test_an_error_has_what_its_status_needs(status: int, line: tuple[str, str] | None) -> None:
    assert completed([JSON_TYPE], status, ("GET", "POST")) == [JSON_TYPE, *([line] if line else [])]
    if line is not None:
        own = [(line[0].lower(), "own")]
        assert completed(own, status, ("GET",)) == own


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("GET", 200, True),
        ("GET", 404, True),
        ("HEAD", 200, False),
        ("GET", 204, False),
        ("GET", 205, False),
        ("GET", 304, False),
    ],
)
def test_whether_a_reply_may_have_a_body(method: str, status: int, *, expected: bool) -> None:
    assert has_body(method, status) is expected
