"""Schemas of the envelope and of its header fields, for documents that are made."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from gateway.kernel.faults import Fault
from gateway.settings.schema.routing import RouteSettings

COMPONENT = "#/components/schemas/"
"""What a reference to a schema of the document begins with."""
_ANYWHERE = frozenset({400, 401, 403, 404, 405, 408, 413, 414, 429, 431, 500, 503})
"""Statuses of the gateway's own errors that any route may give."""
_MOST_HINTS = 3
"""Errors of one status that are described one by one."""
_NEVER_SENT = 499
"""The status of what is seen in logs and metrics only."""
_MESSAGES = {"type": "array", "items": {"$ref": f"{COMPONENT}Message"}}


def enveloped(result: Any) -> dict[str, Any]:
    """Return the schema of a SUCCESS whose result has the schema `result`."""
    data = {"type": "object", "required": ["result"], "properties": {"result": result, "messages": _MESSAGES}}
    return {
        "type": "object",
        "required": ["requestId", "status", "data"],
        "properties": {
            "requestId": {"type": "string", "format": "uuid"},
            "status": {"const": "SUCCESS"},
            "data": data,
            "more": {"type": "object"},
        },
    }


SAMPLE_ID = "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"
LIMIT_FIELDS = ("X-RateLimit-Limit-Minute", "X-RateLimit-Remaining-Minute")
HEADERS: dict[str, Any] = {
    "X-Request-Id": {"description": "The id of this call.", "schema": {"type": "string", "format": "uuid"}},
    "X-RateLimit-Limit-Minute": {
        "description": "Calls that a minute allows, where a limit is by the minute; -Second, -Hour and -Day likewise.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining-Minute": {"description": "Calls that are left of it.", "schema": {"type": "integer"}},
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}},
}
ENVELOPE: dict[str, Any] = {
    "Success": enveloped({}),
    "Error": {
        "type": "object",
        "required": ["requestId", "status", "data"],
        "properties": {
            "requestId": {"type": "string", "format": "uuid"},
            "status": {"const": "ERROR"},
            "data": {
                "type": "object",
                "required": ["code", "message", "developerMessage"],
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string", "minLength": 1},
                    "developerMessage": {"type": "string", "minLength": 1},
                    "links": {"type": "array", "items": {"$ref": f"{COMPONENT}Link"}},
                    "details": _MESSAGES,
                },
            },
            "more": {"type": "object"},
        },
    },
    "Message": {
        "type": "object",
        "required": ["id", "type", "text"],
        "properties": {
            "id": {"type": "string"},
            "type": {"enum": ["INFO", "ERROR", "WARNING", "DEBUG", "TRACE"]},
            "text": {"type": "string"},
            "field": {"type": "string"},
            "date": {"type": "string", "format": "date-time"},
            "links": {"type": "array", "items": {"$ref": f"{COMPONENT}Link"}},
            "more": {"type": "object"},
        },
    },
    "Link": {
        "type": "object",
        "required": ["href", "title"],
        "properties": {"href": {"type": "string"}, "title": {"type": "string"}},
    },
}


def json_content(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a reply that is JSON."""
    return {"application/json": {"schema": schema}}


def described_reply(description: str, content: dict[str, Any], *more: str) -> dict[str, Any]:
    """Return a reply with the header fields of every reply, and `more` of them."""
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *LIMIT_FIELDS, *more)}
    return {"description": description, "headers": headers} | ({"content": content} if content else {})


def described_error(faults: list[Fault], *, retry: bool) -> dict[str, Any]:
    """Return the reply for `faults`, all of which have the same status."""
    codes = sorted({fault.code for fault in faults})
    messages = dict.fromkeys(f"{fault.code} {fault.message}" for fault in faults)
    hints = [fault.developer_message for fault in faults] if len(faults) <= _MOST_HINTS else []
    narrowed = {"properties": {"data": {"properties": {"code": {"type": "integer", "examples": codes}}}}}
    schema = {"allOf": [{"$ref": f"{COMPONENT}Error"}, narrowed]}
    more = ["Retry-After"] if retry else []
    text = " ".join([f"{', '.join(messages)}, or an error of the service.", *hints])
    return described_reply(text, json_content(schema), *more)


def explained_codes(faults: Mapping[str, Fault]) -> dict[str, Any]:
    """Return what each code means when the gateway itself gives it, by code."""
    made: dict[str, Any] = {}
    for fault in sorted(faults.values(), key=lambda each: (each.code, each.status)):
        if fault.status == _NEVER_SENT:
            continue
        known = made.setdefault(str(fault.code), {"message": fault.message, "meanings": []})
        known["meanings"].append({"status": fault.status, "text": fault.developer_message})
    return made


class SharedResponses:
    """The responses that many operations have, by their names among the components of a document."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self.components: dict[str, Any] = {}
        self._faults = faults
        self._errors: dict[tuple[bool, bool], dict[str, Any]] = {}

    def success(self) -> dict[str, str]:
        """Return the response of a service about which nothing is known."""
        content = json_content({"$ref": f"{COMPONENT}Success"})
        return self._reference("Success", described_reply("What the service answers.", content))

    def errors(self, route: RouteSettings) -> dict[str, Any]:
        """Return the errors that a route may give, by status. They depend on what it asks of requests only."""
        keyed, checked = route.auth == "key", route.request is not None and route.request.mode == "enforce"
        made = self._errors.get((keyed, checked))
        if made is None:
            made = self._errors[keyed, checked] = self._made(keyed=keyed, checked=checked)
        return made

    def _made(self, *, keyed: bool, checked: bool) -> dict[str, Any]:
        by_status: dict[int, list[Fault]] = defaultdict(list)
        for fault in self._faults.values():
            if _may_give(fault, keyed=keyed, checked=checked):
                by_status[fault.status].append(fault)
        made: dict[str, Any] = {}
        for number, faults in sorted(by_status.items()):
            described = described_error(faults, retry=any(fault.retryable for fault in faults))
            made[str(number)] = self._reference(f"Error{number}", described)
        others = described_reply("Any other error.", json_content({"$ref": f"{COMPONENT}Error"}))
        return made | {"default": self._reference("Error", others)}

    def _reference(self, name: str, response: dict[str, Any]) -> dict[str, str]:
        wanted, number = name, 2
        while self.components.setdefault(wanted, response) != response:
            wanted, number = f"{name}-{number}", number + 1
        return {"$ref": f"#/components/responses/{wanted}"}


def _may_give(fault: Fault, *, keyed: bool, checked: bool) -> bool:
    if fault.status == 415:
        return checked
    if fault.status == 401:
        return keyed
    return fault.status in _ANYWHERE and (checked or not fault.name.startswith("request_in"))
