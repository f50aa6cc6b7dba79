"""The cases of `gateway test`: requests, and what is expected of the gateway, in a YAML file."""

import json
from pathlib import Path
from typing import Any

from msgspec import structs
from pydantic import Field, JsonValue, ValidationError, model_validator

from gateway.dry_run.request import DryRequest
from gateway.settings.checks.pydantic_errors import explain
from gateway.settings.document.includes import read_text
from gateway.settings.positions import Loc, SourceFile, Table, locate
from gateway.settings.problem_list import ProblemList
from gateway.settings.problems import ConfigError
from gateway.settings.schema.types import Many, Section
from gateway.settings.schema.values import RefusedError
from gateway.upstream.call import Answer

_MOST_REPEATS = 100_000


class CaseRequest(Section):
    """The request of a case. With `repeat` it is made that many times, and what is expected is about the last one."""

    method: str = "GET"
    target: str
    key: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = ""
    client: str = "127.0.0.1"
    listener: str = ""
    repeat: int = Field(default=1, ge=1, le=_MOST_REPEATS)

    def dry_request(self) -> DryRequest:
        """Return the request. A body that is no text is written as JSON."""
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return DryRequest(
            method=self.method,
            target=self.target,
            headers=tuple(self.headers.items()),
            body=body,
            key_id=self.key,
            client=self.client,
            listener=self.listener,
        )


class CaseService(Section):
    """What the service answers."""

    status: int = Field(default=200, ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = Field(default_factory=dict)

    def answer(self) -> Answer:
        """Return the answer. A body that is no text is written as JSON, and JSON is the type unless there is one."""
        body = (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()
        fields = {name.lower(): value for name, value in self.headers.items()}
        fields.setdefault("content-type", "application/json")
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
        return Answer(self.status, lines, body, None, len(body), "")


class ExpectedCall(Section):
    """What the service is expected to get. Fields in `without` must not be there."""

    id: str | None = None
    path: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    without: Many[str] = ()


class Expectation(Section):
    """What is expected. What is left out is not compared. `forwarded` says whether the request is passed on."""

    route: str | None = None
    status: int | None = None
    code: int | None = None
    reason: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    without: Many[str] = ()
    forwarded: bool | None = None
    upstream: ExpectedCall | None = None

    @model_validator(mode="after")
    def _expects_something(self) -> "Expectation":
        if not self.model_fields_set:
            names = "`route`, `status`, `code`, `reason`, `headers`, `forwarded` or `upstream`"
            raise RefusedError("nothing is expected", f"write {names}")
        return self


class Case(Section):
    """One case."""

    name: str = ""
    request: CaseRequest
    service: CaseService = CaseService()
    expect: Expectation


class CaseFile(Section):
    """A file of cases."""

    cases: Many[Case] = Field(min_length=1)


class ReadCases:
    """The cases of a file, with their positions in it."""

    def __init__(self, root: Table, cases: tuple[Case, ...]) -> None:
        self._root = root
        self.cases = cases

    def where(self, loc: Loc) -> str:
        """Return `file:line:col` of a value, or of the innermost mapping around it that is there."""
        position, _, _ = locate(self._root, loc)
        return f"{position.source.name}:{position.line}:{position.column}"


def read_cases(path: Path) -> ReadCases:
    """Read a file of cases. Raises ConfigError with everything that is wrong, and OSError."""
    text = path.read_bytes().decode(errors="replace")
    problem_list = ProblemList()
    root: Any = read_text(SourceFile.of(str(path), text, path.parent), text, {}, problem_list)
    if not isinstance(root, Table):
        _raise_if_any(problem_list)
        raise AssertionError("what cannot be read has a problem")
    try:
        found = CaseFile.model_validate(root)
    except ValidationError as error:
        explain(error, root, CaseFile, problem_list)
        found = CaseFile.model_construct(cases=())
    _raise_if_any(problem_list)
    return ReadCases(root, found.cases)


def _raise_if_any(problem_list: ProblemList) -> None:
    """Raise ConfigError without the lines of the file: what is a secret in a case is not known."""
    try:
        problem_list.raise_if_any()
    except ConfigError as error:
        raise ConfigError([structs.replace(each, path="", source_line="") for each in error.problems]) from None
