"""Documents of each version, and what is said about those that cannot be used."""

from pathlib import Path

import pytest

from gateway.openapi.load import document_source, load_document, load_schema
from gateway.settings import ConfigError, parse

DOCUMENTS = Path("tests/documents")


def problems(text: str, tmp_path: Path) -> list[str]:
    """`line:column path: text; hint` of everything that is wrong with a document."""
    file = tmp_path / "d.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_document(str(file))
    return [
        str(problem).removeprefix(f"{file}:").replace(": error: ", " ", 1).replace(str(tmp_path), "")
        for problem in caught.value.problems
    ]


@pytest.mark.parametrize(
    ("file", "operations"),
    [
        ("pets.yaml", {"listPets", "createPet", "getPet", "deletePet"}),
        ("older.yaml", {"get", "post"}),
        ("oldest.json", {"listFiles", "createFile", "upload"}),
    ],
)
def test_each_version(file: str, operations: set[str]) -> None:
    document, warnings = load_document(str(DOCUMENTS / file))
    assert set(document.operations) == operations
    assert document.title
    assert not warnings


def test_content_that_has_been_read() -> None:
    document, _ = load_document("-", (DOCUMENTS / "pets.yaml").read_bytes())
    assert document.title == "Pets"
    assert document.description == "The pets of a shop, for `$` and ${more}."
    assert document.operations["createPet"].position.source.name == "-"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load_document(str(tmp_path))
    assert "not YAML" in problems("a: [", tmp_path)[0]
    (tmp_path / "d.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as caught:
        load_document(str(tmp_path / "d.yaml"))
    assert caught.value.problems[0].text == "is not UTF-8"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1]", "1:1 this is not an OpenAPI document; it begins with `openapi: 3.1.0`"),
        ("a: 1", "1:1 this is not an OpenAPI document; it says `openapi: 3.1.0` or `swagger: '2.0'`"),
        ("openapi: 4.0.0", "1:10 openapi: version `4.0.0` is not known; 3.1, 3.0 and Swagger 2.0 are"),
        ("openapi: 3.1.0", "1:1 there is no operation in this document; they stand under `paths`"),
    ],
)
def test_what_is_no_document(text: str, expected: str, tmp_path: Path) -> None:
    assert problems(text, tmp_path) == [expected]


def test_every_problem_has_its_position(tmp_path: Path) -> None:
    found = problems(
        """
openapi: 3.1.0
paths:
  pets: {get: {}}
  /a:
    get: 7
    post:
      operationId: one
      parameters: [{in: query}]
      requestBody: {content: {application/json: {schema: {type: strin}}}}
      responses: {okay: {}}
    put: {operationId: one}
    delete: {requestBody: {$ref: "#/nowhere"}}
    patch: {requestBody: {$ref: "https://example.com/x.yaml"}}
  /b:
    get: {parameters: [{name: a, in: query, schema: {$ref: "#/x"}}, {name: b, in: query, schema: 3}]}
    post: {requestBody: {$ref: "#/loop"}, parameters: [{name: b, in: query, schema: {$ref: "none.yaml"}}]}
    put: {parameters: [{name: b, in: query, schema: {pattern: 1, allOf: []}}, {name: c, in: query, schema: {$ref: "#anchor"}}]}
loop: {$ref: "#/loop"}
""",
        tmp_path,
    )
    assert found == [
        "4:3 paths.pets: a path begins with `/`",
        "6:10 paths./a.get: an operation is wanted here, which is a mapping",
        "9:20 paths./a.post.parameters[0]: a parameter has a `name`, and `in`: path, query, header or cookie",
        "10:65 paths./a.post.requestBody.content.application/json.schema.type: `strin` is not a type of JSON; one of array, boolean, integer, null, number, object, string",
        "11:19 paths./a.post.responses.okay: `okay` is no status; write one such as `200`, `4XX` or `default`",
        "12:24 paths./a.put.operationId: `one` is the id of another operation, in /d.yaml:8",
        "13:34 paths./a.delete.requestBody.$ref: `#/nowhere` refers to nothing",
        "14:33 paths./a.patch.requestBody.$ref: this refers to another server, and nothing is fetched; save it as a file beside this one",
        "16:60 paths./b.get.parameters[0].schema.$ref: `#/x` refers to nothing",
        "16:98 paths./b.get.parameters[1].schema: a schema is wanted here, which is a mapping",
        "17:25 paths./b.post.requestBody: this reference leads in a circle",
        "17:92 `/none.yaml` cannot be read: No such file or directory",
        "18:63 paths./b.put.parameters[0].schema.pattern: a regular expression is wanted here",
        "18:73 paths./b.put.parameters[0].schema.allOf: a list of schemas is wanted here",
        "18:115 paths./b.put.parameters[1].schema.$ref: `#anchor` is not a JSON pointer; refer to `#/…`",
    ]


def test_a_schema_is_the_root_of_its_file(tmp_path: Path) -> None:
    found = load_schema(str(DOCUMENTS / "pet.schema.json"))
    assert isinstance(found.root, dict)
    assert (found.operations, set(found.root["properties"])) == ({}, {"name", "age"})
    (tmp_path / "broken.json").write_text('{"type": "strin"}')
    with pytest.raises(ConfigError):
        load_schema(str(tmp_path / "broken.json"))
    with pytest.raises(ConfigError):
        load_schema(str(tmp_path / "missing.json"))


def test_what_routes_name_is_read_once_and_as_they_mean_it() -> None:
    pets, schema = DOCUMENTS.resolve() / "pets.yaml", DOCUMENTS.resolve() / "pet.schema.json"
    source = document_source(
        parse(
            'version: 1\nupstreams: [{id: u, targets: [{url: "http://127.0.0.1:1"}]}]\nroutes:\n'
            f"- {{id: a, upstream: u, match: {{path: /a, methods: [POST]}}, request: {{schema: {schema}}}}}\n"
            "- {id: b, upstream: u, match: {path: /b, methods: [POST]}}\n"
        )
    )
    assert source(str(schema)).root == load_schema(str(schema)).root
    assert source(str(pets)) is source(str(pets))
    assert source(str(pets)).root is True
