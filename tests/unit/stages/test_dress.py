"""stages/dress.py: every reply has its id, a known caller's its limits."""

from gateway.exchange import Reply
from gateway.kernel.bucket import Decision, WindowState
from gateway.stages.dress import dress
from tests.samples import MINUTE, REQUEST_ID, caller, exchange


def test_a_stranger_gets_the_request_id_only() -> None:
    reply = dress(Reply(401, [("Content-Type", "application/json")], b""), exchange(), "X-Request-Id")
    assert reply.fields == [("Content-Type", "application/json"), ("X-Request-Id", REQUEST_ID)]


def test_a_known_caller_is_told_what_is_left() -> None:
    x = exchange()
    x.claim, x.decision = caller().claim, Decision(True, "local", (WindowState(MINUTE, 299, 0.2, 0.0),))
    assert dress(Reply(200, [], b""), x, "X-Id").fields == [
        ("X-Id", REQUEST_ID),
        ("X-RateLimit-Limit-Minute", "300"),
        ("RateLimit-Policy", '"minute";q=300;w=60'),
        ("X-RateLimit-Remaining-Minute", "299"),
        ("RateLimit", '"minute";r=299;t=1'),
    ]
