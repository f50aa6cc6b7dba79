import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main


@contextmanager
def admin(status: int, body: bytes) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """The address of one that answers so, and what it was asked, with which token."""
    asked: list[tuple[str, str | None]] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def reload(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"GATEWAY_ADMIN": None, "GATEWAY_ADMIN_TOKEN": None, **environment}).invoke(main, ["reload", *arguments])


def test_it_asks_and_does_not_wait_unless_told_to() -> None:
    with admin(202, b'{"reload": "begun"}') as (address, asked):
        done = reload("--admin", address, "--token", "sesame")
    assert (done.exit_code, done.stdout) == (0, "reloading\n")
    assert asked == [("/reload", "Bearer sesame")]


def test_it_waits_and_the_environment_knows_the_rest() -> None:
    with admin(200, b'{"reload": "done"}') as (address, asked):
        done = reload("--wait", GATEWAY_ADMIN=address, GATEWAY_ADMIN_TOKEN="sesame")
    assert (done.exit_code, done.stdout) == (0, "reloaded\n")
    assert asked == [("/reload?wait", "Bearer sesame")]


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            422,
            b'{"reload": "refused", "problems": ["a.yaml:1:1: error: no", "a.yaml:2:1: error: no"]}',
            "a.yaml:1:1: error: no\na.yaml:2:1: error: no\n",
        ),
        (401, b'{"error": "this asks for the token"}', "this asks for the token\n"),
        (500, b"<html>", "answers 500\n"),
    ],
)
def test_a_refusal_is_1_and_told(status: int, body: bytes, told: str) -> None:
    with admin(status, body) as (address, _):
        done = reload("--wait", "--admin", address)
    assert done.exit_code == 1
    assert done.stderr.endswith(told)


def test_nobody_there_is_1() -> None:
    with admin(200, b"") as (address, _):
        pass
    done = reload("--admin", address)
    assert done.exit_code == 1
    assert f"no gateway answers at {address}" in done.stderr
