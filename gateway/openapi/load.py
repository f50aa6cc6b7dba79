"""`load_document`: a file -> `ApiDocument`, or everything that is wrong with it."""

from collections.abc import Sequence

from gateway.openapi.document_problems import DocumentProblems
from gateway.openapi.documents import Documents, Node
from gateway.openapi.model import ApiDocument
from gateway.openapi.operations import Version3Reader
from gateway.openapi.schemas import Dialect, SchemaBundle
from gateway.openapi.swagger2 import Version2Reader
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
