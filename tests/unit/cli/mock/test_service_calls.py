"""cli/mock/service.py: one request, and the process, without one."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.cli.mock.replies import MockApi
from gateway.cli.mock.service import MockService, serve
from gateway.openapi.load import load_document
from tests.mock_documents import PETS


def never() -> float:
    return 1.0


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "pets.yaml"
    path.write_text(PETS)
    return path


@pytest.mark.parametrize("longest_s", [0.0, 0.001])
async def test_a_request_is_answered_by_the_document(document: Path, longest_s: float) -> None:
    service = MockService(MockApi([load_document(str(document))[0]], 0.0, never), longest_s, longest_s)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.handle)
    async with TestClient(TestServer(app)) as client:
        async with client.post("/v1/pets", data=b"{}") as reply:
            assert (reply.status, await reply.json()) == (201, {"id": 7, "name": "Rex"})
            assert reply.headers["Server"] == "mock-service"
        async with client.delete("/v1/pets/7") as reply:
            assert (reply.status, await reply.read(), "json" in reply.headers.get("Content-Type", "")) == (
                204,
                b"",
                False,
            )
        async with client.post("/v1/pets", headers={"Prefer": "status=422"}) as reply:
            assert reply.status == 422


async def test_it_prints_its_port_and_serves_until_its_input_ends(
    document: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"documents": [str(document)], "errors": 0.0, "fastest_s": 0.0, "slowest_s": 0.0}
    await serve([json.dumps(options)], BytesIO())
    assert 0 < int(capsys.readouterr().out) < 65536
