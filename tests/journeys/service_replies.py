"""What services behind the gateway reply to the clients of the contract: raw, or as an envelope of their own."""

import json

from tests.fakes import reply

THEIR_ID = "11111111-2222-4333-8444-555555555555"


def service_reply(result: object, *, enveloped: bool, status: bytes = b"200 OK") -> bytes:
    envelope = {"requestId": THEIR_ID, "status": "SUCCESS", "data": {"result": result}}
    return reply(json.dumps(envelope if enveloped else result).encode(), status=status)


def refused(status: bytes, code: int, *, enveloped: bool) -> bytes:
    """Why a name is not valid, as an envelope or as a FastAPI service says it."""
    detail = {
        "id": THEIR_ID,
        "type": "ERROR",
        "text": "is required",
        "field": "name",
        "date": "2016-06-25T20:09:23.69Z",
    }
    link = {"href": "https://example.com/names", "title": "Names"}
    texts = {"code": code, "message": "No name", "developerMessage": "Send a name"}
    envelope = {"requestId": THEIR_ID, "status": "ERROR", "data": {**texts, "links": [link], "details": [detail]}}
    raw = {"detail": [{"loc": ["body", "name"], "msg": "is required", "type": "missing"}]}
    return reply(json.dumps(envelope if enveloped else raw).encode(), status=status)
