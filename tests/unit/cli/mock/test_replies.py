"""cli/mock/replies.py: which reply of a document is given."""

import json
from pathlib import Path

import pytest

from gateway.cli.mock.replies import MockApi
from gateway.openapi.load import load_document
from tests.mock_documents import PETS


def api(tmp_path: Path, errors: float = 0.0, chance: float = 0.5) -> MockApi:
    file = tmp_path / "pets.yaml"
    file.write_text(PETS)
    return MockApi([load_document(str(file))[0]], errors, lambda: chance)


@pytest.mark.parametrize(
    ("method", "path", "prefer", "status", "media_type", "body"),
    [
        ("GET", "/v1/pets", "", 200, "application/json", [{"id": 1, "name": "string"}]),
        ("HEAD", "/v1/pets", "", 200, "application/json", [{"id": 1, "name": "string"}]),
        ("POST", "/v1/pets", "", 201, "application/json", {"id": 7, "name": "Rex"}),
        ("POST", "/v1/pets", "status=422", 422, "application/json", {"detail": "no"}),
        ("GET", "/v1/pets/7", "", 200, "", None),
        ("DELETE", "/v1/pets/7", "", 204, "", None),
        ("GET", "/v1/p%65ts/7", "status=404", 404, "", None),
        (
            "GET",
            "/pets",
            "",
            404,
            "application/problem+json",
            {"title": "Not found", "detail": "No operation of the documents has this path."},
        ),
        (
            "GET",
            "/v1/pets/",
            "",
            404,
            "application/problem+json",
            {"title": "Not found", "detail": "No operation of the documents has this path."},
        ),
    ],
)
def test_replies(
    tmp_path: Path, method: str, path: str, prefer: str, status: int, media_type: str, body: object
) -> None:
    reply = api(tmp_path).reply(method, path, prefer)
    assert (reply.status, reply.media_type) == (status, media_type)
    assert (json.loads(reply.body) if reply.body else None) == body


def test_text_fields_and_methods(tmp_path: Path) -> None:
    one = api(tmp_path)
    assert one.reply("GET", "/v1/pets/mine", "").body == b"mine"
    assert one.reply("GET", "/v1/pets", "").fields == {"X-Total": "3"}
    reply = one.reply("PUT", "/v1/pets", "")
    assert (reply.status, reply.fields) == (405, {"Allow": "GET, POST"})


def test_a_share_of_the_replies_are_errors(tmp_path: Path) -> None:
    assert api(tmp_path, errors=0.6).reply("POST", "/v1/pets", "").status == 400
    assert api(tmp_path, errors=0.4).reply("POST", "/v1/pets", "").status == 201
    assert api(tmp_path, errors=0.6).reply("DELETE", "/v1/pets/7", "").status == 503
