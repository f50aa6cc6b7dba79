import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main


@contextmanager
def admin(status: int) -> Iterator[tuple[str, list[str]]]:
    """An admin listener that answers everything with `status`: its address, and the paths it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def check(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["healthcheck", *arguments])


def test_ready_is_0() -> None:
    with admin(200) as (address, asked):
        done = check("--url", address)
    assert (done.exit_code, done.stdout, asked) == (0, "ready\n", ["/readyz"])


def test_draining_is_1() -> None:
    with admin(503) as (address, _):
        done = check("--url", address)
    assert done.exit_code == 1
    assert f"the gateway at {address} is not ready: it answers 503" in done.stderr


def test_a_url_may_name_another_path() -> None:
    with admin(200) as (address, asked):
        assert check("--url", f"http://{address}/healthz").exit_code == 0
    assert asked == ["/healthz"]


def test_the_environment_says_where() -> None:
    with admin(200) as (address, asked):
        assert check(GATEWAY_ADMIN=address).exit_code == 0
    assert asked == ["/readyz"]


def test_nobody_there_is_1() -> None:
    with admin(200) as (address, _):
        pass
    done = check("--url", address)
    assert done.exit_code == 1
    assert f"no gateway answers at {address}" in done.stderr


@pytest.mark.parametrize("url", ["https://127.0.0.1:9901", "127.0.0.1:none", "http://", "ftp://x"])
def test_what_is_no_address_is_a_usage_error(url: str) -> None:
    done = check("--url", url)
    assert done.exit_code == 2
    assert "write host:port" in done.stderr
