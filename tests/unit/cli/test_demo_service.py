import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.cli.demo_service import ENCODINGS, EXAMPLES, running


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as port:
        yield port


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        text = reply.read()
        return reply.status, json.loads(text) if "json" in reply.getheader("Content-Type", "") else text
    finally:
        connection.close()


def test_an_encoding_lives_and_dies(port: int) -> None:
    status, made = ask(port, "POST", ENCODINGS, {"name": "first"})
    assert (status, made["name"]) == (201, "first")
    assert ask(port, "GET", f"{ENCODINGS}/{made['id']}") == (200, made)
    status, listed = ask(port, "GET", ENCODINGS)
    assert status == 200
    assert made in listed["items"]
    assert ask(port, "DELETE", f"{ENCODINGS}/{made['id']}") == (204, b"")
    assert ask(port, "GET", f"{ENCODINGS}/{made['id']}")[0] == 404
    assert ask(port, "DELETE", f"{ENCODINGS}/{made['id']}")[0] == 404


@pytest.mark.parametrize(
    ("body", "detail"), [({}, "is required"), (["name"], "is required"), ({"name": 5}, "must be a string")]
)
def test_an_encoding_needs_a_name(port: int, body: object, detail: str) -> None:
    status, problem = ask(port, "POST", ENCODINGS, body)
    assert status == 422
    assert problem["errors"] == [{"field": "name", "detail": detail}]


def test_what_is_not_json_is_refused(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", ENCODINGS, "{")
    assert connection.getresponse().status == 400
    connection.close()


def test_the_oldest_encodings_go_first(port: int) -> None:
    _, first = ask(port, "POST", ENCODINGS, {"name": "oldest"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(1000):
        connection.request("POST", ENCODINGS, '{"name": "younger"}')
        connection.getresponse().read()
    connection.close()
    assert ask(port, "GET", ENCODINGS)[1]["totalCount"] == 1000
    assert ask(port, "GET", f"{ENCODINGS}/{first['id']}")[0] == 404


def test_examples_go_wrong_as_services_do(port: int) -> None:
    status, page = ask(port, "GET", f"{EXAMPLES}/crash")
    assert status == 500
    assert page.startswith(b"<html>")
    with pytest.raises(json.JSONDecodeError):
        ask(port, "GET", f"{EXAMPLES}/garbage")
    with pytest.raises(ConnectionError):
        ask(port, "GET", f"{EXAMPLES}/hang-up")


def test_it_never_outlives_whoever_started_it() -> None:
    with running() as port:
        # One request that it will never answer does not keep it alive.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", f"{EXAMPLES}/never")
        assert ask(port, "GET", ENCODINGS)[0] == 200
    with pytest.raises(ConnectionError):
        ask(port, "GET", ENCODINGS)
    connection.close()
