"""Schemas of the envelope and of its header fields, for documents that are made."""

from typing import Any

COMPONENT = "#/components/schemas/"
"""What a reference to a schema of the document begins with."""
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
