"""Pages of gateways as `gateway top` gets them."""

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def measures(
    requests: int, client: int = 0, server: int = 0, limited: int = 0, p95: float | None = 10.0
) -> dict[str, Any]:
    names = ("p50_ms", "p95_ms", "p99_ms", "gateway_p50_ms", "gateway_p95_ms", "gateway_p99_ms")
    return {
        "requests": requests,
        "client_errors": client,
        "server_errors": server,
        "limited": limited,
        **dict.fromkeys(names, p95),
    }


def history(began: str = "2026-11-30T01:00:00.000Z", **tables: Any) -> dict[str, Any]:
    """Of sixty seconds, unless it `began` later: at five seconds after a slot of ten began there are five more."""
    page = {"at": "2026-11-30T02:00:00.000Z", "began": began, "total": measures(600, 60, 6, 30)}
    return {
        **page,
        "routes": [],
        "keys": [],
        "organizations": [],
        "targets": [],
        "errors": [],
        "near_limits": [],
        **tables,
    }


def near(key: str, remaining: int, at: str = "2026-11-30T02:00:00.000Z") -> dict[str, Any]:
    return {
        "key": key,
        "organization": None,
        "limit": "minute",
        "owner": "key",
        "remaining": remaining,
        "max": 300,
        "at": at,
    }


def error(status: int, requests: int) -> dict[str, Any]:
    return {"status": status, "code": 1004, "source": "gateway", "reason": "upstream_refused", "requests": requests}


@contextmanager
def admin_of(pages: Mapping[str, Any]) -> Iterator[str]:
    """The address of a listener that serves `pages` by path, without their queries, and 404 for the rest."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            body = json.dumps(page or {"error": "not found"}).encode()
            self.send_response(200 if page is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
