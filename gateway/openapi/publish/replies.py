"""The replies that a document has: what services answer, in the envelope, and the errors that a route can give."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gateway.kernel.errors.translate import code_of
from gateway.openapi.model import ApiDocument, MediaType, Operation, Response, ResponseField
from gateway.openapi.publish.envelope_schemas import COMPONENT, HEADERS, SAMPLE_ID, enveloped, is_envelope, json_content
from gateway.openapi.publish.possible_errors import ONCE_ONLY, PossibleError
from gateway.settings import Config
from gateway.settings.schema.routing import RouteSettings

SchemaOf = Callable[[ApiDocument, Any], Any]
"""Returns a schema of a document as it is in the document that is made."""
_BODILESS = frozenset({"204", "205", "304"})
_NOT_PASSED_ON = frozenset({"content-length", "content-type", "connection", "transfer-encoding", "server", "date"})
_MOST_TEXTS = 3
"""Errors of one status that are described one by one."""
_EITHER_WAY = " Those of the gateway are enveloped, those of the service are as they are."
_ERROR = {"$ref": f"{COMPONENT}Error"}


class Replies:
    """Makes the replies of operations. `components` are those that many operations have."""

    def __init__(self, config: Config, schema_of: SchemaOf, limit_fields: Sequence[str]) -> None:
        self.components: dict[str, Any] = {}
        self._config = config
        self._schema_of = schema_of
        self._id_field = config.observability.request_id.header
        self._limit_fields = limit_fields
        self._known: dict[tuple[object, ...], dict[str, Any]] = {}

    def of(
        self,
        route: RouteSettings,
        method: str,
        described: tuple[ApiDocument, Operation] | None,
        possible: tuple[PossibleError, ...],
    ) -> dict[str, Any]:
        """Return the replies to calls of `route` with `method`, of which `possible` are errors of the gateway."""
        made: dict[str, Any] = {}
        document, operation = (None, None) if described is None else described
        usual = self._undescribed(route, method)
        for status, response in ({} if operation is None else operation.responses).items():
            if document is not None and status[0] in "123":
                made[status] = self._success(route, method, document, response, status)
        if "websocket" in route.upgrade and method == "GET":
            made["101"] = {"description": "The WebSocket is open."}
        if not any(status[0] == "2" for status in made):
            made |= {status: reply for status, (_, reply) in usual.items()}
        if route.cache is not None and method == "GET":
            made.setdefault("304", self._reply("What the client has is still fresh.", {}, ("ETag", "Age")))
        for status, (name, reply) in usual.items():
            if made.get(status) == reply:
                made[status] = self._shared(name, reply)
        return dict(sorted(made.items())) | self._errors(route, operation, possible)

    def _undescribed(self, route: RouteSettings, method: str) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the successes of a service about which nothing is known, each with its name among the components."""
        content = json_content({"$ref": f"{COMPONENT}Success"})
        envelope = self._config.envelope_of(route)
        name = "Success"
        if envelope.mode == "passthrough":
            name, content = "AsTheServiceAnswers", {}
        elif envelope.binary == "passthrough":
            name, content = "SuccessOrFile", content | {"*/*": {}}
        return {
            "204": ("Empty", self._reply("Done.", {})),
            "2XX": (name, self._reply("What the service answers.", content, self._fields(route, method))),
            "3XX": ("Redirect", self._reply("Another URL.", content, ("Location",))),
        }

    def _success(
        self, route: RouteSettings, method: str, document: ApiDocument, response: Response, status: str
    ) -> dict[str, Any]:
        text = response.description or "What the service answers."
        fields = {
            name: self._field(document, name, field)
            for name, field in response.fields.items()
            if name.lower() not in _NOT_PASSED_ON and name not in self._own_fields()
        }
        more = self._fields(route, method) if status[0] == "2" else ()
        content = {} if status in _BODILESS or method == "HEAD" else self._content(route, document, response)
        made = self._reply(text, content, tuple(name for name in more if name not in fields))
        return made | {"headers": made["headers"] | fields}

    def _field(self, document: ApiDocument, name: str, field: ResponseField) -> dict[str, Any]:
        made = {"description": field.description} if field.description else {}
        made["schema"] = self._schema_of(document, field.schema)
        return {"$ref": f"#/components/headers/{name}"} if HEADERS.get(name) == made else made

    def _content(self, route: RouteSettings, document: ApiDocument, response: Response) -> dict[str, Any]:
        envelope, content = self._config.envelope_of(route), response.content
        if envelope.mode == "passthrough":
            return {name: self._media(document, media) for name, media in content.items()}
        unwrapped = {
            name: self._media(document, media)
            for name, media in content.items()
            if name == "text/event-stream" or (envelope.binary == "passthrough" and not _is_wrapped(name))
        }
        wrapped = [name for name in content if name not in unwrapped]
        if unwrapped and not wrapped:
            return unwrapped
        name = next((name for name in wrapped if "json" in name), None)
        if name is None:
            return unwrapped | json_content(enveloped({"type": "string"} if wrapped else {}))
        media = self._media(document, content[name])
        if envelope.mode == "auto" and is_envelope(document.resolved(content[name].schema)):
            return unwrapped | {"application/json": media}
        made = json_content(enveloped(media["schema"]))
        if "example" in media:
            example = {"result": media["example"]}
            made["application/json"]["example"] = {"requestId": SAMPLE_ID, "status": "SUCCESS", "data": example}
        return unwrapped | made

    def _media(self, document: ApiDocument, media: MediaType) -> dict[str, Any]:
        made = {"schema": self._schema_of(document, media.schema)}
        return made | ({"example": media.examples[0]} if media.examples else {})

    def _errors(
        self, route: RouteSettings, operation: Operation | None, possible: tuple[PossibleError, ...]
    ) -> dict[str, Any]:
        """Return the errors by status. Those of the service are translated into the envelope, unless it passes on."""
        as_it_is = self._config.envelope_of(route).mode == "passthrough"
        own = {
            status: response.description
            for status, response in ({} if operation is None else operation.responses).items()
            if status[0] in "45"
        }
        key = (possible, tuple(own.items()), route.error_family, as_it_is)
        known = self._known.get(key)
        if known is not None:
            return known
        by_status: dict[str, list[PossibleError]] = defaultdict(list)
        for error in possible:
            by_status[str(error.status)].append(error)
        made: dict[str, Any] = {}
        for status in sorted({*by_status, *own}):
            described = self._error(status, by_status[status], own.get(status), route.error_family, as_it_is=as_it_is)
            made[status] = self._shared(f"Error{status}", described)
        others = self._reply(
            f"Any other error.{_EITHER_WAY if as_it_is else ''}", _error_content(None, as_it_is=as_it_is)
        )
        made["default"] = self._shared("OtherError", others)
        return self._known.setdefault(key, made)

    def _error(
        self, status: str, errors: list[PossibleError], text: str | None, family: str, *, as_it_is: bool
    ) -> dict[str, Any]:
        named = ", ".join(dict.fromkeys(f"{each.code} {each.message}" for each in errors))
        words = [f"{named}, or an error of the service." if named else "", text or "An error of the service."]
        if text is not None and named and text.startswith(words[0]):
            words = [text]  # the document of another gateway
        elif named:
            texts = [each.text for each in errors] if len(errors) <= _MOST_TEXTS else []
            words = [words[0], text or "", *dict.fromkeys(texts)]
        codes = {each.code for each in errors}
        if status.isdecimal():
            codes.add(code_of(int(status), family))
        more = ["Retry-After"] if any(each.retryable for each in errors) else []
        more += {"401": ["WWW-Authenticate"], "405": ["Allow"]}.get(status, [])
        content = _error_content(errors[0] if errors else None, as_it_is=as_it_is)
        made = self._reply(" ".join(filter(None, words)), content, tuple(more), status)
        return made | {"x-codes": sorted(codes)}

    def _fields(self, route: RouteSettings, method: str) -> tuple[str, ...]:
        """Return the fields of successes that the gateway adds on some routes."""
        cached = route.cache is not None and method == "GET"
        repeated = route.idempotency is not None and method in ONCE_ONLY
        return (("Age", "Cache-Status", "ETag") if cached else ()) + (("Idempotency-Replayed",) if repeated else ())

    def _own_fields(self) -> frozenset[str]:
        return frozenset((self._id_field, *self._limit_fields))

    def _reply(
        self, text: str, content: Mapping[str, Any], more: Iterable[str] = (), status: str = ""
    ) -> dict[str, Any]:
        """Return a reply with the header fields of every reply, and `more` of them."""
        limits = () if status == "401" else self._limit_fields  # nobody's limits
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in (self._id_field, *limits, *more)}
        return {"description": text, "headers": headers} | ({"content": dict(content)} if content else {})

    def _shared(self, name: str, response: dict[str, Any]) -> dict[str, str]:
        wanted, number = name, 2
        while self.components.setdefault(wanted, response) != response:
            wanted, number = f"{name}-{number}", number + 1
        return {"$ref": f"#/components/responses/{wanted}"}


def _error_content(example: PossibleError | None, *, as_it_is: bool) -> dict[str, Any]:
    if as_it_is:
        return {}
    made = json_content(_ERROR)
    if example is not None:
        data = {"code": example.code, "message": example.message, "developerMessage": example.text}
        made["application/json"]["example"] = {"requestId": SAMPLE_ID, "status": "ERROR", "data": data}
    return made


def _is_wrapped(media_type: str) -> bool:
    """Return whether bodies of a media type become JSON in the envelope."""
    return "json" in media_type or media_type == "text/plain"
