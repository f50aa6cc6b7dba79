"""openapi/publish/replies.py: replies as clients get them, from what a service's document says and a route does."""

from typing import Any

import msgspec
import pytest

from gateway.openapi.load import load_document
from gateway.openapi.model import ApiDocument, MediaType, Operation, Response, ResponseField
from gateway.openapi.publish.components import Components
from gateway.openapi.publish.envelope_schemas import enveloped
from gateway.openapi.publish.possible_errors import PossibleError
from gateway.openapi.publish.replies import Replies
from gateway.settings import parse
from tests.contract_documents import DOCUMENTS

PETS, _ = load_document(str(DOCUMENTS.resolve() / "pets.yaml"))
LIMITED = PossibleError("rate_limited", 429, 8000, "Limit exceeded", "Wait.", retryable=True)
LIMITS = ("X-RateLimit-Limit-Minute",)
OWN = {"type": "object", "properties": {"requestId": {}, "status": {}, "data": {}}}
RESULT = {"type": "object", "properties": {"id": {"type": "integer"}}}


class Made:
    """The replies of one route: `components` are those that are shared."""

    def __init__(
        self,
        settings: str = "",
        method: str = "GET",
        described: tuple[ApiDocument, Operation] | None = None,
        errors: tuple[PossibleError, ...] = (),
    ) -> None:
        config = parse(
            'version: 1\nupstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]\n'
            f"routes: [{{id: r, upstream: u, match: {{path: /r, methods: [GET, POST, DELETE]}}{settings}}}]\n"
        )
        replies = Replies(config, Components().schema, LIMITS)
        self.replies = replies.of(config.routes[0], method, described, errors)
        assert replies.of(config.routes[0], method, described, errors) == self.replies
        self.components = replies.components

    def __getitem__(self, status: str) -> Any:
        reply = self.replies[status]
        return self.components[reply["$ref"].rpartition("/")[2]] if "$ref" in reply else reply

    def content(self, status: str) -> Any:
        return self[status].get("content", {})

    def fields(self, status: str) -> set[str]:
        return set(self[status]["headers"])


def described(status: str = "200", **content: Any) -> tuple[ApiDocument, Operation]:
    """An operation with one reply, by media types in which `_` stands for the slash."""
    media = {name.replace("__", "-").replace("_", "/"): MediaType(*parts) for name, parts in content.items()}
    fields = {"X-Total": ResponseField({"type": "integer"}, description="All."), "Server": ResponseField(True)}  # noqa: FBT003
    reply = Response("What it is.", media, fields)
    return PETS, msgspec.structs.replace(PETS.operations["listPets"], responses={status: reply})


def test_a_service_about_which_nothing_is_known() -> None:
    made = Made()
    assert list(made.replies) == ["204", "2XX", "3XX", "default"]
    assert made.replies["2XX"] == {"$ref": "#/components/responses/Success"}
    assert made.content("2XX") == {"application/json": {"schema": {"$ref": "#/components/schemas/Success"}}}
    assert made.fields("2XX") == {"X-Request-Id", *LIMITS}
    assert made.fields("3XX") == {"X-Request-Id", *LIMITS, "Location"}
    assert made.content("204") == {}
    assert made.content("default") == {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    assert "*/*" in Made(", envelope: {binary: passthrough}").content("2XX")
    as_it_is = Made(", envelope: {mode: passthrough}")
    assert as_it_is.content("2XX") == as_it_is.content("default") == {}
    assert "as they are" in as_it_is["default"]["description"]


def test_a_result_is_in_the_envelope() -> None:
    made = Made(described=described(application_json=(RESULT, ({"id": 1},))))
    content = made.content("200")["application/json"]
    assert content["schema"] == enveloped(RESULT)
    assert (content["example"]["status"], content["example"]["data"]) == ("SUCCESS", {"result": {"id": 1}})
    assert made["200"]["description"] == "What it is."
    assert made["200"]["headers"]["X-Total"] == {"description": "All.", "schema": {"type": "integer"}}
    assert "Server" not in made.fields("200")
    assert "2XX" not in made.replies


@pytest.mark.parametrize(
    ("settings", "content", "expected"),
    [
        ("", {"text_plain": ({"type": "string"},)}, {"application/json": {"schema": enveloped({"type": "string"})}}),
        ("", {}, {"application/json": {"schema": enveloped({})}}),
        ("", {"text_csv": (True,)}, {"application/json": {"schema": enveloped({"type": "string"})}}),
        ("", {"text_event__stream": (True,)}, {"text/event-stream": {"schema": True}}),
        (", envelope: {binary: passthrough}", {"image_png": (True,)}, {"image/png": {"schema": True}}),
        (
            ", envelope: {binary: passthrough}",
            {"image_png": (True,), "application_json": (RESULT,)},
            {"image/png": {"schema": True}, "application/json": {"schema": enveloped(RESULT)}},
        ),
        (
            ", envelope: {mode: passthrough}",
            {"application_json": (RESULT, (1,))},
            {"application/json": {"schema": RESULT, "example": 1}},
        ),
        ("", {"application_json": (OWN,)}, {"application/json": {"schema": OWN}}),
        (
            ", envelope: {mode: wrap}",
            {"application_json": (OWN,)},
            {"application/json": {"schema": enveloped(OWN)}},
        ),
    ],
)
def test_contents(settings: str, content: dict[str, Any], expected: dict[str, Any]) -> None:
    assert Made(settings, described=described(**content)).content("200") == expected


def test_replies_without_a_body() -> None:
    assert Made(described=described("204", application_json=(RESULT,))).content("204") == {}
    made = Made(described=described("304"))
    assert (made.content("304"), "2XX" in made.replies) == ({}, True)


def test_what_a_cache_and_idempotency_keys_add() -> None:
    cached = Made(", cache: {}", described=described(application_json=(RESULT,)))
    assert {"Age", "Cache-Status", "ETag"} <= cached.fields("200")
    assert cached.fields("304") == {"X-Request-Id", *LIMITS, "ETag", "Age"}
    assert "304" not in Made(", cache: {}", "POST").replies
    assert "Idempotency-Replayed" in Made(", idempotency: {}", "POST").fields("2XX")
    assert "Idempotency-Replayed" not in Made(", idempotency: {}").fields("2XX")


def test_a_field_that_the_gateway_has_too_is_the_same() -> None:
    document, operation = described()
    reply = Response("x", {}, {"Location": ResponseField({"type": "string"}, description="Where to look instead.")})
    made = Made(described=(document, msgspec.structs.replace(operation, responses={"201": reply})))
    assert made["201"]["headers"]["Location"] == {"$ref": "#/components/headers/Location"}


def test_a_websocket_is_opened() -> None:
    assert "101" in Made(", upgrade: [websocket]").replies
    assert "101" not in Made(", upgrade: [websocket]", "POST").replies


def test_errors_of_the_gateway_and_of_the_service() -> None:
    document, operation = described(application_json=(RESULT,))
    responses = {
        **operation.responses,
        "429": Response("Slower.", {}, {}),
        "418": Response("", {}, {}),
        "5XX": Response("Ours.", {}, {}),
    }
    unknown = PossibleError("key_unknown", 401, 1002, "Invalid credentials", "Not known.", retryable=False)
    operation = msgspec.structs.replace(operation, responses=responses)
    made = Made(", error_family: analytics", described=(document, operation), errors=(unknown, LIMITED))
    assert list(made.replies) == ["200", "401", "418", "429", "5XX", "default"]
    assert made["429"]["description"] == "8000 Limit exceeded, or an error of the service. Slower. Wait."
    assert made.fields("429") == {"X-Request-Id", *LIMITS, "Retry-After"}
    assert made.fields("401") == {"X-Request-Id", "WWW-Authenticate"}
    assert (made["401"]["x-codes"], made["418"]["x-codes"], made["5XX"]["x-codes"]) == ([1002, 1003], [1001], [])
    assert (made["418"]["description"], made["5XX"]["description"]) == ("An error of the service.", "Ours.")
    example = made.content("429")["application/json"]["example"]
    assert (example["status"], example["data"]) == (
        "ERROR",
        {"code": 8000, "message": "Limit exceeded", "developerMessage": "Wait."},
    )
    raw = Made(", envelope: {mode: passthrough}", errors=(LIMITED,))
    assert raw.content("429") == {}


def test_the_words_of_another_gateway_are_kept() -> None:
    document, operation = described()
    text = "8000 Limit exceeded, or an error of the service. Slower."
    responses = {"429": Response(text, {}, {})}
    operation = msgspec.structs.replace(operation, responses=responses)
    assert Made(described=(document, operation), errors=(LIMITED,))["429"]["description"] == text


def test_errors_that_differ_have_components_of_their_own() -> None:
    config = parse(
        'version: 1\nupstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]\n'
        "routes: [{id: r, upstream: u, match: {path: /r, methods: [GET, POST]}}]\n"
    )
    replies = Replies(config, Components().schema, ())
    first = replies.of(config.routes[0], "GET", None, (LIMITED,))
    second = replies.of(config.routes[0], "POST", None, (LIMITED._replace(text="Go."),))
    assert (first["429"], second["429"]) == (
        {"$ref": "#/components/responses/Error429"},
        {"$ref": "#/components/responses/Error429-2"},
    )
    many = tuple(LIMITED._replace(text=str(number)) for number in range(9))
    third = replies.of(config.routes[0], "GET", None, many)["429"]["$ref"].rpartition("/")[2]
    assert replies.components[third]["description"] == "8000 Limit exceeded, or an error of the service."
