"""stages/normalize.py: header fields that a service has sent before."""

import json

import pytest

from gateway.kernel.http.response_headers import FieldRules
from gateway.stages.normalize import normalize
from gateway.upstream.call import Answer
from tests.samples import caller, exchange, route


class TestFieldsOfKnownReplies:
    """Services send the same header fields again and again; what follows from them is joined once."""

    FIELDS = ((b"content-type", b"application/json"), (b"x-a", b"1"))

    def test_are_text_where_nobody_looks_at_them(self) -> None:
        answer = Answer(200, [*self.FIELDS], b'{"a":1}', None, 7, "t", known=True)
        reply = normalize(answer, exchange(caller=caller()), route(privacy_text="", response_rules=FieldRules()))
        assert (reply.fields, reply.text) == ([], "Content-Type: application/json\r\nx-a: 1\r\n")
        assert json.loads(reply.body)["data"] == {"result": {"a": 1}}

    @pytest.mark.parametrize(
        ("more", "changes"),
        [
            ((), {"privacy_text": None}),
            (((b"cache-control", b"max-age=5"),), {}),
            (((b"etag", b'"a"'),), {}),
            ((), {"caller": caller(several=True)}),
            ((), {"caller": None}),
        ],
    )
    def test_are_fields_elsewhere(self, more: tuple[tuple[bytes, bytes], ...], changes: dict[str, object]) -> None:
        answer = Answer(200, [*self.FIELDS, *more], b'{"a":1}', None, 7, "t", known=True)
        x = exchange(caller=changes.get("caller", caller()))
        to = route(privacy_text=changes.get("privacy_text", ""), response_rules=FieldRules())
        reply = normalize(answer, x, to)
        assert reply.text == ""
        assert reply.fields[0] == ("Content-Type", "application/json")
