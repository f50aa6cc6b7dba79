"""Models of the published client libraries: what they send, how they read a reply, when they try again.

Each is an ordinary HTTP client with the habits that the contract lists under "odd clients": a JSON content type on
every method, `null` or an empty body where none belongs, a new connection for each call, redirects followed, broken
connections tried again. None of them looks at a header field before it has parsed the body as an envelope. The
published libraries for Python and JavaScript themselves are called in test_published_clients.py.
"""

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

TIMEOUT_S = 10
RETRIES = 5


class ApiError(Exception):
    """What a library raises for an ERROR, with everything that it makes of it."""

    def __init__(self, status: int, envelope: dict[str, Any]) -> None:
        data = envelope["data"]
        super().__init__(data["message"])
        self.status = status
        self.request_id = envelope["requestId"]
        self.code = data["code"]
        self.developer_message = data["developerMessage"]
        self.details = [_message(each) for each in data.get("details", [])]
        self.links = [(link["href"].lower(), link["title"].lower()) for link in data.get("links", [])]


class Library(Protocol):
    """One language's way to call."""

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The result; {} for 204. Raises ApiError."""
        ...

    def close(self) -> None:
        """The last call."""
        ...


def _message(found: dict[str, Any]) -> tuple[str, str | None]:
    UUID(found["id"])
    if "date" in found:
        datetime.strptime(re.sub(r"\.\d+", "", found["date"]), "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007  as the libraries do
    return found["text"].strip(), found.get("field")


def read(status: int, body: bytes) -> Any:
    """What every one of them does with a reply."""
    if status == 204:
        assert body == b""
        return {}
    envelope = json.loads(body)
    UUID(envelope["requestId"], version=4)
    if envelope["status"] == "ERROR":
        raise ApiError(status, envelope)
    assert envelope["status"] == "SUCCESS"
    for message in envelope["data"].get("messages", []):
        _message(message)
    return envelope["data"]["result"]


class PythonLibrary:
    """A session with keep-alive. GET and DELETE carry a content type, and DELETE a `Content-Length: 0`."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        self._fields = {
            "X-Api-Key": key,
            "Content-Type": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "Accept": "*/*",
        }

    def call(self, method: str, path: str, body: object = None) -> Any:
        fields = self._fields | ({"Content-Length": "0"} if method == "DELETE" else {})
        self._connection.request(method, path, None if body is None else json.dumps(body), fields)
        reply = self._connection.getresponse()
        return read(reply.status, reply.read())

    def close(self) -> None:
        self._connection.close()


class PhpLibrary:
    """A client that connects for each call, always sends a body, follows redirects, has its key in the URL."""

    def __init__(self, port: int, key: str) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._key = key
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self._base}{path}{'&' if '?' in path else '?'}X-Api-Key={self._key}"
        data = None if method == "GET" else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as reply:
                return read(reply.status, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return read(error.code, error.read())

    def close(self) -> None:
        """Nothing is kept."""


class JavaLibrary:
    """Tries any broken connection again, five times, POST included. `attempts` counts what it sent."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._fields = {"X-Api-Key": key, "Content-Type": "application/json"}
        self.attempts = 0

    def call(self, method: str, path: str, body: object = None) -> Any:
        for left in range(RETRIES, -1, -1):
            self.attempts += 1
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
            try:
                connection.request(method, path, None if body is None else json.dumps(body), self._fields)
                reply = connection.getresponse()
                return read(reply.status, reply.read())
            except (http.client.HTTPException, ConnectionError):
                if not left:
                    raise
            finally:
                connection.close()
        raise AssertionError

    def close(self) -> None:
        """Nothing is kept."""


LIBRARIES: dict[str, Callable[[int, str], Library]] = {"python": PythonLibrary, "php": PhpLibrary, "java": JavaLibrary}
