"""cli/mock/service.py: the process that answers."""

import http.client
import json
from pathlib import Path

from gateway.cli.demo_service import running
from gateway.cli.mock.command import SERVICE
from tests.mock_documents import PETS


def test_it_answers_as_the_document_says(tmp_path: Path) -> None:
    document = tmp_path / "pets.yaml"
    document.write_text(PETS)
    options = {"documents": [str(document)], "errors": 0.0, "fastest_s": 0.001, "slowest_s": 0.002}
    with running(SERVICE, json.dumps(options)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/v1/pets", b"{}")
        reply = connection.getresponse()
        assert (reply.status, json.loads(reply.read())) == (201, {"id": 7, "name": "Rex"})
        assert (reply.headers["Content-Type"], reply.headers["Server"]) == ("application/json", "mock-service")
        connection.request("DELETE", "/v1/pets/7")
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (204, b"")
        connection.request("POST", "/v1/pets", b"{}", {"Prefer": "status=422"})
        assert connection.getresponse().status == 422
        connection.close()
