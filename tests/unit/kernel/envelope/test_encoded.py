"""kernel/envelope/encoded.py: what is decoded keeps its spelling, and what is unset is not encoded."""

import msgspec
from msgspec import UNSET, Raw

from gateway.kernel.envelope.encoded import MEMBERS, EncodedLink, EncodedMessage


def test_members_stay_as_they_were_spelled() -> None:
    found = MEMBERS.decode(b'{"data": [1.50], "other":1, "status":"\\u0041"}')
    spelled = [bytes(value) if isinstance(value, Raw) else value for value in (found.data, found.status)]
    assert (spelled, found.requestId) == ([b"[1.50]", b'"\\u0041"'], UNSET)


def test_a_message_has_what_is_set() -> None:
    message = EncodedMessage(UNSET, "m", "INFO", "text", UNSET, [EncodedLink("/x", "X")], UNSET)
    assert msgspec.json.encode(message) == (
        b'{"id":"m","type":"INFO","text":"text","links":[{"href":"/x","title":"X"}]}'
    )
