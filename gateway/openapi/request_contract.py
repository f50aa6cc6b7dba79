"""What the requests of a route have to be like, compiled from an operation or from a schema of its body."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from gateway.kernel.faults import (
    MEDIA_TYPE_UNSUPPORTED,
    REQUEST_INCOMPLETE,
    REQUEST_INVALID,
    Detail,
    GatewayError,
)
from gateway.openapi.decoding import Doubled, ValueDecoder, pairs_of, read_all, unquoted
from gateway.openapi.findings import Finding, pointer, spelled
from gateway.openapi.json_body import BodyError, read_json
from gateway.openapi.validator import MOST_FINDINGS, Validator

BodyKind: TypeAlias = Literal["json", "form", "opaque"]
"""`opaque` bodies are passed on unchecked: multipart, text, files."""
MOST_PAIRS = 1000
"""How many parameters a query or a form may have to be checked."""
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})


class HeaderSource(Protocol):
    """Header fields, by names without regard to case."""

    def get(self, name: str, /) -> str | None: ...
    def getall(self, name: str, default: list[str], /) -> list[str]: ...


class BodyContract(msgspec.Struct, frozen=True):
    """What bodies of one media type are like. `validator` checks the whole request with such a body."""

    kind: BodyKind
    validator: Validator
    decoders: tuple[ValueDecoder, ...] = ()


class RequestContract(msgspec.Struct, frozen=True):
    """What the requests of one operation have to be like.

    `methods` are those that it is about. `bodies` are by media type, and empty if no body is looked at.
    `without_body` checks a request that has none. `segments` are the indexes of path parameters among the segments of
    a path. With `shadow` nothing is refused. `max_body_bytes` is the longest body that is checked.
    """

    methods: frozenset[str]
    shadow: bool
    max_body_bytes: int
    bodies: dict[str, BodyContract]
    without_body: Validator
    segments: tuple[tuple[int, ValueDecoder], ...] = ()
    query: tuple[ValueDecoder, ...] = ()
    reads_query: bool = False
    headers: tuple[ValueDecoder, ...] = ()

    def body_of(self, headers: HeaderSource) -> BodyContract:
        """Return what a body with these fields has to be like. Raises GatewayError MEDIA_TYPE_UNSUPPORTED."""
        coding = headers.get("Content-Encoding")
        if coding is not None and coding.strip().lower() not in {"", "identity"}:
            raise _unsupported("A compressed body cannot be checked. Send it without Content-Encoding.")
        written = headers.get("Content-Type") or ""
        essence, _, parameters = written.partition(";")
        essence = essence.strip().lower()
        if not essence:
            essence = next((name for name, body in self.bodies.items() if body.kind == "json"), "")
        found = self.bodies.get(essence) or self.bodies.get(f"{essence.partition('/')[0]}/*") or self.bodies.get("*/*")
        if found is None:
            raise _unsupported(f"Send the body as {' or '.join(self.bodies)}.")
        if parameters and found.kind != "opaque" and not _is_utf8(parameters):
            raise _unsupported("Send the body in UTF-8.")
        return found

    def check(
        self, path: str, query: str, headers: HeaderSource, body: bytes = b"", contract: BodyContract | None = None
    ) -> GatewayError | None:
        """Return the error with everything that is wrong with a request, None if nothing is.

        `path` and `query` are as the client sent them. `contract` is that of `body`, None if there is no body.
        """
        value: dict[str, Any] = {}
        findings: list[Finding] = []
        if self.segments:
            parts = path.split("/")
            value["path"] = {each.name: each.read([unquoted_segment(parts[at])]) for at, each in self.segments}
        if self.reads_query:
            pairs = pairs_of(query, MOST_PAIRS)
            if pairs is None:
                return _invalid([Finding(("query",), "", f"The query has more than {MOST_PAIRS} parameters.")])
            value["query"] = self._without_doubled(read_all(self.query, pairs), "query", findings)
        if self.headers:
            given = {each.name: _texts(headers, each) for each in self.headers}
            read = {each.name: each.read(texts) for each in self.headers if (texts := given[each.name])}
            value["header"] = self._without_doubled(read, "header", findings)
        validator = self.without_body
        if contract is not None and (body or contract.kind == "opaque"):
            validator = contract.validator
            try:
                if contract.kind == "json":
                    value["body"] = read_json(body)
                elif contract.kind == "form":
                    form = pairs_of(body.decode(), MOST_PAIRS)
                    if form is None:
                        raise BodyError(f"The body has more than {MOST_PAIRS} fields.")
                    value["body"] = self._without_doubled(read_all(contract.decoders, form), "body", findings)
            except UnicodeDecodeError:
                findings.append(Finding(("body",), "", "The body is not UTF-8."))
                validator = self.without_body
            except BodyError as error:
                findings.append(Finding(("body",), "", str(error)))
                validator = self.without_body
        if not validator.is_valid(value):
            findings += [
                finding
                for finding in validator.findings(value)
                if not (finding.missing and any(finding.way == other.way for other in findings))
            ]
        return _invalid(findings) if findings else None

    def _without_doubled(self, values: dict[str, Any], location: str, findings: list[Finding]) -> dict[str, Any]:
        """Return `values` without those that were given twice and may not be, which are added to `findings`."""
        doubled = [name for name, value in values.items() if isinstance(value, Doubled)]
        for name in doubled:
            findings.append(Finding((location, name), "", "This is given more than once."))
            del values[name]
        return values


def body_kind(media_type: str) -> BodyKind:
    """Return how bodies of a media type are checked."""
    if media_type == _FORM:
        return "form"
    subtype = media_type.partition("/")[2]
    return "json" if subtype == "json" or subtype.endswith("+json") else "opaque"


def unquoted_segment(text: str) -> str:
    """Return a segment of a path without percent-encoding."""
    return unquoted(text.replace("+", "%2B"))


def _texts(headers: HeaderSource, decoder: ValueDecoder) -> list[str]:
    texts = headers.getall(decoder.name, [])
    if len(texts) > 1 and "array" in decoder.kinds:
        texts = [", ".join(texts)]
    return [
        ",".join(part.strip() for part in text.split(",")) if "array" in decoder.kinds else text
        for text in (each.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for each in texts)
    ]


def _is_utf8(parameters: str) -> bool:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower() in _UTF8
    return True


def _unsupported(text: str) -> GatewayError:
    return GatewayError(MEDIA_TYPE_UNSUPPORTED, details=(Detail(text, "header.Content-Type"),))


def _invalid(findings: Sequence[Finding]) -> GatewayError:
    fault = REQUEST_INCOMPLETE if all(finding.missing for finding in findings) else REQUEST_INVALID
    details = [_detail(finding) for finding in findings[:MOST_FINDINGS]]
    if len(findings) >= MOST_FINDINGS:
        details.append(Detail("There may be more faults than these.", type="INFO"))
    return GatewayError(fault, details=tuple(details), cause=f"{min(len(findings), MOST_FINDINGS)} faults")


def _detail(finding: Finding) -> Detail:
    location, *way = finding.way or ("",)
    more = {"in": str(location), "pointer": pointer(way)} if location else None
    return Detail(finding.text, spelled(finding.way) or None, more=more)
