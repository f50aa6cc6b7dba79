"""`load_document` and `load_schema`: a file -> `ApiDocument`, or everything that is wrong with it."""

from collections.abc import Callable, Sequence
from functools import cache

from gateway.openapi.document_problems import DocumentProblems
from gateway.openapi.documents import Documents, Node
from gateway.openapi.model import ApiDocument, Schema
from gateway.openapi.operations import Version3Reader
from gateway.openapi.schemas import Dialect, SchemaBundle
from gateway.openapi.swagger2 import Version2Reader
from gateway.settings import Config
from gateway.settings.positions import Table
from gateway.settings.problems import Problem


def load_document(name: str, content: bytes | None = None) -> tuple[ApiDocument, Sequence[Problem]]:
    """Return the document in a file, and warnings about it. Raises ConfigError with everything that is wrong.

    `content` is what has been read already, from standard input for example; None: the file is read. References to
    other files are relative to the file that they stand in.
    """
    problems = DocumentProblems()
    documents = Documents(problems)
    root = documents.open(name, content)
    problems.raise_if_any()
    assert root is not None, "what cannot be read has a problem"
    dialect = _dialect(root, documents)
    problems.raise_if_any()
    assert dialect is not None, "an unknown version is a problem"
    schemas = SchemaBundle(documents, dialect)
    reader = (Version2Reader if dialect == "2.0" else Version3Reader)(root, documents, schemas)
    operations = reader.read()
    if not operations:
        documents.report(root, "there is no operation in this document", "they stand under `paths`")
    problems.raise_if_any()
    info = root.below("info") or root
    document = ApiDocument(
        name,
        info.text("title"),
        info.text("version"),
        info.text("description"),
        operations,
        schemas.schemas,
        schemas.patterns,
    )
    return document, problems.warnings()


def load_schema(name: str) -> ApiDocument:
    """Return the JSON Schema in a file, as `root`. Raises ConfigError with everything that is wrong with it."""
    problems = DocumentProblems()
    documents = Documents(problems)
    root = documents.open(name)
    bundle = SchemaBundle(documents, "3.1")
    schema: Schema = True if root is None else bundle.convert(root)
    bundle.finish()
    problems.raise_if_any()
    return ApiDocument(name, "", "", "", {}, bundle.schemas, bundle.patterns, schema)


def document_source(config: Config) -> Callable[[str], ApiDocument]:
    """Return what reads the files that the routes of a configuration name, each one once. It raises ConfigError."""
    schemas = {route.request.json_schema for route in config.routes if route.request is not None}
    return cache(lambda name: load_schema(name) if name in schemas else load_document(name)[0])


def _dialect(root: Node, documents: Documents) -> Dialect | None:
    if not isinstance(root.value, Table):
        documents.report(root, "this is not an OpenAPI document", "it begins with `openapi: 3.1.0`")
        return None
    swagger, version = root.value.get("swagger"), root.value.get("openapi")
    if str(swagger) in {"2.0", "2"}:
        return "2.0"
    if isinstance(version, str):
        if version.startswith("3.0"):
            return "3.0"
        if version.startswith(("3.1", "3.2")):
            return "3.1"
    at = root.below("openapi") or root.below("swagger")
    if at is None:
        documents.report(root, "this is not an OpenAPI document", "it says `openapi: 3.1.0` or `swagger: '2.0'`")
    else:
        documents.report(at, f"version `{at.value}` is not known", "3.1, 3.0 and Swagger 2.0 are")
    return None
