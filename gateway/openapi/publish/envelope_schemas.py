"""Schemas of the envelope and of its header fields, for documents that are made."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.kernel.faults import Fault

COMPONENT = "#/components/schemas/"
"""What a reference to a schema of the document begins with."""
SAMPLE_ID = "6d84e126-d10c-4e52-bbfb-bd4c92bc8333"
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


HEADERS: dict[str, Any] = {
    "Age": {"description": "Seconds since the service made this reply.", "schema": {"type": "integer", "minimum": 0}},
    "Allow": {"description": "The methods that are available here.", "schema": {"type": "string"}},
    "Cache-Status": {"description": "Whether the reply was kept (RFC 9211).", "schema": {"type": "string"}},
    "ETag": {"description": "The version of the reply, for If-None-Match.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true`: this is the reply to the first call with this idempotency key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Location": {"description": "Where to look instead.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "How to say who calls.", "schema": {"type": "string"}},
}
"""Header fields that some replies have."""
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


def json_content(schema: Any) -> dict[str, Any]:
    """Return the content of a reply that is JSON."""
    return {"application/json": {"schema": schema}}


def is_envelope(schema: Any) -> bool:
    """Return whether values of a schema are envelopes already."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return isinstance(properties, dict) and {"requestId", "status", "data"} <= properties.keys()


def limit_headers(windows: Iterable[str]) -> dict[str, Any]:
    """Return the header fields about limits, by the names of windows: Minute, for example."""
    made: dict[str, Any] = {}
    for name in windows:
        text = f"Calls that a {name.lower()} allows, where a limit is by the {name.lower()}."
        made[f"X-RateLimit-Limit-{name}"] = {"description": text, "schema": {"type": "integer", "minimum": 1}}
        text = "Calls that are left of it after this one."
        made[f"X-RateLimit-Remaining-{name}"] = {"description": text, "schema": {"type": "integer", "minimum": 0}}
    if made:
        made["RateLimit-Policy"] = {"description": "Every limit that held, by its name.", "schema": {"type": "string"}}
        made["RateLimit"] = {"description": "What is left of each.", "schema": {"type": "string"}}
    return made


def explained_codes(faults: Mapping[str, Fault]) -> dict[str, Any]:
    """Return what each code means when the gateway itself gives it, by code."""
    made: dict[str, Any] = {}
    for fault in sorted(faults.values(), key=lambda each: (each.code, each.status)):
        if fault.status == _NEVER_SENT:
            continue
        known = made.setdefault(str(fault.code), {"message": fault.message, "meanings": []})
        known["meanings"].append({"status": fault.status, "text": fault.developer_message})
    return made
