"""What a compiled document answers about itself."""

from pathlib import Path

import msgspec

from gateway.openapi.load import load_document
from gateway.openapi.model import EVERYBODY, Audience, Response
from gateway.settings.schema.routing import RouteSettings

DOCUMENT, _ = load_document(str(Path("tests/documents/pets.yaml")))


def test_what_a_schema_refers_to() -> None:
    assert set(DOCUMENT.reachable({"$ref": "#/$defs/Pet"})) == {"Pet", "NewPet", "Kind", "Tag"}
    assert DOCUMENT.reachable(True, {"enum": [1]}) == {}  # noqa: FBT003 - a schema may be a boolean


def test_what_stands_behind_a_reference() -> None:
    assert DOCUMENT.resolved({"$ref": "#/$defs/Kind"}) == {"enum": ["dog", "cat", "fish"]}
    assert DOCUMENT.resolved(False) is False  # noqa: FBT003 - a schema may be a boolean


def test_the_response_to_a_status() -> None:
    exact, others, rest = (Response(name, {}, {}) for name in ("exact", "others", "rest"))
    operation = msgspec.structs.replace(
        DOCUMENT.operations["listPets"], responses={"404": exact, "4XX": others, "default": rest}
    )
    assert [operation.response(status) for status in (404, 400, 500)] == [exact, others, rest]
    assert msgspec.structs.replace(operation, responses={"200": exact}).response(500) is None


def test_a_reader_sees_what_the_key_may_use() -> None:
    keyed, open_to_all = (
        RouteSettings.model_validate({"id": "a", "match": {"prefix": "/"}, "upstream": "u", "auth": auth})
        for auth in ("key", "none")
    )
    assert Audience("free").may_use(open_to_all, "GET")
    assert not Audience("free").may_use(keyed, "GET")
    assert Audience("free", keyed=True).may_use(keyed, "GET")
    assert not EVERYBODY._replace(hidden=frozenset({"a"})).may_use(open_to_all, "GET")
    assert not Audience("free", keyed=True, routes=frozenset({"b"})).may_use(keyed, "GET")
    limited = Audience("free", keyed=True, routes=frozenset({"a"}), methods=frozenset({"GET"}))
    assert [limited.may_use(keyed, method) for method in ("GET", "POST")] == [True, False]
