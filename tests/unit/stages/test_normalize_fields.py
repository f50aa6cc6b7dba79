"""stages/normalize.py: header fields that a service has sent before."""

from typing import Any

import pytest

from gateway.kernel.faults import GatewayError
from gateway.kernel.http.response_headers import FieldRules, as_text
from gateway.stages.normalize import normalize
from gateway.table import Envelope, Mode
from gateway.upstream.call import Answer
from tests.samples import caller, exchange, route

ENVELOPE = b'{"requestId":"theirs","status":"SUCCESS","data":{"result":[1]}}'


class TestFieldsOfKnownReplies:
    """Services send the same header fields again and again; what follows from them is joined once."""

    FIELDS = ((b"content-type", b"application/json"), (b"x-a", b"1"))

    def test_are_text_where_nobody_looks_at_them(self) -> None:
        """The text is that of the reply that was made before they were known."""
        answer = Answer(200, [*self.FIELDS], b'{"a":1}', None, 7, "t", known=True)
        x, to = exchange(caller=caller()), route(response_rules=FieldRules((), "Vary: X-Api-Key\r\n"))
        first, reply = normalize(answer, x, to), normalize(answer, x, to)
        assert (first.text, reply.fields) == ("", [])
        assert as_text(first.fields) + "Vary: X-Api-Key\r\n" == reply.text
        assert (first.status, first.code, first.source, first.body, first.upstream_request_id) == (
            (reply.status, reply.code, reply.source, reply.body, reply.upstream_request_id)
        )

    @pytest.mark.parametrize("mode", ["auto", "wrap"])
    @pytest.mark.parametrize("body", [b'{"a":1}', b"[1]", b" [1]", b"null", b"", b"[1", ENVELOPE, b'{"a":"\xff"}'])
    def test_say_nothing_about_the_body(self, body: bytes, mode: Mode) -> None:
        made = list[object]()
        to = route(response_rules=FieldRules((), ""), envelope=Envelope(mode, 1 << 20, "refuse"))
        answer = Answer(200, [*self.FIELDS], body, None, len(body), "t", known=True)
        for _ in range(2):
            try:
                reply = normalize(answer, exchange(caller=caller()), to)
            except GatewayError as error:
                made.append(error.fault)
            else:
                made.append((reply.status, reply.body, reply.all_fields(), reply.upstream_request_id))
        assert made[0] == made[1]

    @pytest.mark.parametrize(
        ("fields", "changes"),
        [
            (FIELDS, {"added_text": None}),
            ((*FIELDS, (b"cache-control", b"max-age=5")), {}),
            ((*FIELDS, (b"etag", b'"a"')), {}),
            ((*FIELDS, (b"content-encoding", b"identity")), {}),
            (((b"content-type", b"text/plain"),), {}),
            (((b"content-type", b"application/json; charset=latin-1"),), {}),
            (FIELDS, {"caller": caller(several=True)}),
            (FIELDS, {"caller": None}),
            (FIELDS, {"status": 203}),
            (FIELDS, {"status": 404}),
            (FIELDS, {"body": b"[%b1]" % (b"1," * 40_000)}),
        ],
    )
    def test_are_fields_elsewhere(self, fields: tuple[tuple[bytes, bytes], ...], changes: dict[str, Any]) -> None:
        body = changes.get("body", b'{"a":1}')
        answer = Answer(changes.get("status", 200), [*fields], body, None, len(body), "t", known=True)
        x = exchange(caller=changes.get("caller", caller()))
        to = route(response_rules=FieldRules((), changes.get("added_text", "")))
        normalize(answer, x, to)
        reply = normalize(answer, x, to)
        assert (reply.text == "") == ("status" not in changes or answer.status >= 400)
        assert reply.all_fields()[0] == ("Content-Type", "application/json")
