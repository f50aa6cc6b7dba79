"""The commands that serve, as a person at a terminal starts them."""

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli.demo_service import ENCODINGS, EXAMPLES, running
from gateway.cli.free_port import free_port
from tests.mock_documents import PETS


class Started:
    """A gateway in a process of its own. `shown` is what it printed until it served."""

    def __init__(self, process: "subprocess.Popen[str]", shown: str) -> None:
        self._process = process
        self.shown = shown
        self.first_line = json.loads(shown.splitlines()[-1])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code, and what it printed since it served."""
        self._process.send_signal(number)
        rest, _ = self._process.communicate(timeout=20)
        return self._process.returncode, rest


@contextmanager
def gateway(*arguments: str) -> Iterator[Started]:
    command = [sys.executable, "-m", "gateway", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        shown = ""
        try:
            for line in process.stdout:
                shown += line
                if line.startswith("{"):
                    break
            else:
                pytest.fail(f"it never served:\n{shown}")
            yield Started(process, shown)
        finally:
            if process.poll() is None:
                process.kill()


class Client:
    """One connection."""

    def __init__(self, address: str, key: str | None = None) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=20)
        self._headers = {"X-Api-Key": key} if key else {}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], bytes]:
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = self._connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *reason: object) -> None:
        self._connection.close()


@contextmanager
def demo() -> Iterator[tuple[Started, Client, str]]:
    """The demo, a client with its key, and the address."""
    with gateway("demo", "--port", "0") as started:
        (key,) = set(re.findall(r"gw_[0-9A-Za-z]{38}", started.shown))
        address = re.search(r"The gateway listens on http://([0-9.:]+)", started.shown)
        assert address
        with Client(address[1], key) as client:
            yield started, client, address[1]


def test_the_demo_creates_reads_lists_and_deletes() -> None:
    with demo() as (started, client, _):
        status, headers, body = client.ask("POST", ENCODINGS, {"name": "first"})
        envelope = json.loads(body)
        assert (status, envelope["status"]) == (201, "SUCCESS")
        assert headers["X-Request-Id"] == envelope["requestId"]
        made = envelope["data"]["result"]
        assert json.loads(client.ask("GET", f"{ENCODINGS}/{made['id']}")[2])["data"]["result"] == made
        assert json.loads(client.ask("GET", ENCODINGS)[2])["data"]["result"] == {"totalCount": 1, "items": [made]}
        assert client.ask("DELETE", f"{ENCODINGS}/{made['id']}")[0] == 204
        assert started.stop()[0] == 0


def test_the_demo_shows_every_kind_of_error_in_the_envelope() -> None:
    with demo() as (_, client, address), Client(address) as stranger:
        errors = {
            (401, 1002): stranger.ask("GET", ENCODINGS),
            (404, 1005): client.ask("GET", "/v2"),
            (405, 1006): client.ask("PUT", ENCODINGS),
            (422, 1000): client.ask("POST", ENCODINGS, {}),
            (404, 1001): client.ask("GET", f"{ENCODINGS}/none"),
            (500, 1004): client.ask("GET", f"{EXAMPLES}/crash"),
            (503, 1004): client.ask("GET", f"{EXAMPLES}/garbage"),
        }
        hung_up = client.ask("GET", f"{EXAMPLES}/hang-up")
    for (status, code), reply in [*errors.items(), ((503, 1004), hung_up)]:
        envelope = json.loads(reply[2])
        assert (reply[0], envelope["status"], envelope["data"]["code"]) == (status, "ERROR", code)


def test_the_demo_lets_300_requests_a_minute_pass() -> None:
    with demo() as (_, client, _):
        statuses = [client.ask("GET", ENCODINGS)[0] for _ in range(300)]
        refused = None
        # A token comes back every 200 ms: the loop ends when requests are faster than that, which they are.
        while refused is None and len(statuses) < 1000:
            status, headers, body = client.ask("GET", ENCODINGS)
            statuses.append(status)
            refused = (headers, json.loads(body)) if status == 429 else None
    assert set(statuses[:300]) == {200}
    assert refused is not None
    assert refused[0]["X-RateLimit-Remaining-Minute"] == "0"
    assert int(refused[0]["Retry-After"]) >= 1
    assert refused[1]["data"]["code"] == 8000


def test_the_key_of_the_demo_is_shown_and_not_logged() -> None:
    with demo() as (started, client, _):
        (key,) = set(re.findall(r"gw_[0-9A-Za-z]{38}", started.shown))
        client.ask("GET", f"{ENCODINGS}?X-Api-Key={key}")
        code, logged = started.stop(signal.SIGINT)
    assert code == 0
    assert ENCODINGS in logged or "encoding.collection" in logged
    assert key not in logged


def test_one_url_is_enough() -> None:
    admin = f"127.0.0.1:{free_port('127.0.0.1', 9901)}"
    with (
        running() as port,
        gateway(
            "run", "--upstream", f"http://127.0.0.1:{port}", "--listen", "127.0.0.1:0", "--admin", admin
        ) as started,
    ):
        (address,) = started.first_line["listeners"]
        with Client(address) as client:
            status, headers, body = client.ask("GET", ENCODINGS)
        assert (status, json.loads(body)["status"]) == (200, "SUCCESS")
        assert headers["X-RateLimit-Limit-Minute"] == "300"
        asked = subprocess.run(
            [sys.executable, "-m", "gateway", "healthcheck", "--url", admin], capture_output=True, text=True, timeout=20
        )
        assert (asked.returncode, asked.stdout) == (0, "ready\n")


def test_a_file_is_named_in_the_first_line_of_the_log(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        'version: 1\nserver: {drain_delay: 0s, listeners: [{address: "127.0.0.1:0"}]}\nadmin: {address: "127.0.0.1:0"}\n'
        'upstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]\nroutes: [{id: r, match: {prefix: /}, upstream: u}]\n'
    )
    with gateway("run", "-c", str(file)) as started:
        assert started.first_line["config"] == str(file)
        assert (started.first_line["routes"], started.first_line["keys"]) == (1, 0)
        assert started.stop()[0] == 0


def test_a_mock_answers_in_the_envelope_behind_the_gateway_of_a_file(tmp_path: Path) -> None:
    document, file = tmp_path / "pets.yaml", tmp_path / "gateway.yaml"
    document.write_text(PETS)
    file.write_text(
        'version: 1\nserver: {drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0"}]}\n'
        'admin: {address: "127.0.0.1:0"}\nupstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]\n'
        "routes: [{id: r, match: {prefix: /v1}, upstream: u, auth: none}]\n"
    )
    with gateway("mock", str(document), "-c", str(file)) as started:
        (address,) = started.first_line["listeners"]
        with Client(address) as client:
            status, _, body = client.ask("POST", "/v1/pets", {"name": "Rex"})
            assert (status, json.loads(body)["data"]["result"]) == (201, {"id": 7, "name": "Rex"})
        assert started.stop()[0] == 0
