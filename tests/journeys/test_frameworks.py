"""Services written with real frameworks behind a real gateway: their own replies arrive as the contract promises."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.gateway_process import GatewayProcess, configuration, running
from tests.journeys.backends import ask, enveloped

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parent / "frameworks"
SERVICES = {
    "fastapi": [sys.executable, str(FOLDER / "fastapi_service.py")],
    "django": [sys.executable, str(FOLDER / "django_service.py")],
    "flask": [sys.executable, str(FOLDER / "flask_service.py")],
    "express": ["node", str(FOLDER / "express_service.mjs")],
    "hono": ["node", str(FOLDER / "hono_service.mjs")],
}
WRONG = {"lines": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 0}]}
INSIDE = ("Traceback", "s3cret", "postgres://", "frameworks/", "node_modules", "site-packages", "<", "line ", "    at ")


@contextmanager
def serving(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A service while it runs. It prints its port."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def port_of(process: "subprocess.Popen[bytes]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with ExitStack() as stack:
        services = {name: stack.enter_context(serving(command)) for name, command in SERVICES.items()}
        ports = {name: port_of(process) for name, process in services.items()}
        upstreams = [f'{{id: {name}, targets: [{{url: "http://127.0.0.1:{port}"}}]}}' for name, port in ports.items()]
        routes = [
            f"{{id: {name}, match: {{prefix: /{name}}}, upstream: {name}, rewrite: {{strip_prefix: /{name}}}}}"
            for name in ports
        ]
        sections = {"upstreams": f"[{', '.join(upstreams)}]", "routes": f"[{', '.join(routes)}]"}
        yield stack.enter_context(running(configuration(0, **sections), tmp_path_factory.mktemp("frameworks")))


async def response(
    gateway: GatewayProcess, method: str, path: str, body: object = None
) -> tuple[int, dict[str, Any], str]:
    """Status, envelope, and its text."""
    content = None if body is None else json.dumps(body).encode()
    answer = await ask(gateway, method, path, *(["Content-Type: application/json"] if content else []), body=content)
    return answer.status, enveloped(answer), answer.body.decode()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_success_is_wrapped(gateway: GatewayProcess, service: str) -> None:
    status, envelope, _ = await response(gateway, "GET", f"/{service}/v1/orders/7")
    assert (status, envelope["data"]) == (200, {"result": {"number": 7}})
    status, envelope, _ = await response(gateway, "POST", f"/{service}/v1/orders", {"name": "a", "lines": []})
    assert (status, envelope["data"]) == (201, {"result": {"name": "a"}})


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/fastapi/v1/orders", 422),
        ("/django/v1/orders", 400),
        ("/flask/v1/orders", 422),
        ("/flask/v1/smorest/orders", 422),
        ("/express/v1/orders", 400),
        ("/hono/v1/orders", 400),
        ("/hono/v1/issues", 400),
        ("/hono/v1/tree", 400),
    ],
)
async def test_every_wrong_field_is_a_detail(gateway: GatewayProcess, path: str, status: int) -> None:
    answered, envelope, _ = await response(gateway, "POST", path, WRONG)
    data = envelope["data"]
    assert answered == status
    assert {detail["field"] for detail in data["details"]} == {"name", "lines.1.quantity"}
    assert data["code"] == 1000
    assert all(detail["text"] and "{" not in detail["text"] for detail in data["details"])


@pytest.mark.parametrize("service", SERVICES)
async def test_what_does_not_exist_is_404_with_the_services_text(gateway: GatewayProcess, service: str) -> None:
    status, envelope, _ = await response(gateway, "GET", f"/{service}/v1/orders/8")
    assert status == 404
    assert envelope["data"]["message"] == ("Not Found" if service == "flask" else "No order 8")
    status, envelope, text = await response(
        gateway, "GET", f"/{service}/v1/nowhere"
    )  # the framework's own: HTML, text or JSON
    assert (status, envelope["data"]["code"]) == (404, 1001)
    assert "<" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/fastapi/v1/crash",
        "/django/v1/crash",
        "/flask/v1/crash",
        "/express/v1/crash",
        "/express/v1/told",
        "/hono/v1/crash",
    ],
)
async def test_a_crash_shows_nothing_of_the_inside(gateway: GatewayProcess, path: str) -> None:
    status, envelope, text = await response(gateway, "GET", path)
    assert (status, envelope["data"]["code"]) == (500, 1004)
    assert [word for word in INSIDE if word in text] == []
