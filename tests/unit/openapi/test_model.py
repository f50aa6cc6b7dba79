"""What a compiled document answers about itself."""

from pathlib import Path

from gateway.openapi.load import load_document

DOCUMENT, _ = load_document(str(Path("tests/documents/pets.yaml")))


def test_what_a_schema_refers_to() -> None:
    assert set(DOCUMENT.reachable({"$ref": "#/$defs/Pet"})) == {"Pet", "NewPet", "Kind", "Tag"}
    assert DOCUMENT.reachable(True, {"enum": [1]}) == {}  # noqa: FBT003 - a schema may be a boolean


def test_what_stands_behind_a_reference() -> None:
    assert DOCUMENT.resolved({"$ref": "#/$defs/Kind"}) == {"enum": ["dog", "cat", "fish"]}
    assert DOCUMENT.resolved(False) is False  # noqa: FBT003 - a schema may be a boolean
