"""stages/record.py: exchanges that are alike share a record, and no field of it stays from the one before."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.exchange import CacheUse, Coded, Exchange, Reply
from gateway.kernel.faults import CLIENT_CLOSED, KEY_EXPIRED, UPSTREAM_REFUSED, GatewayError
from gateway.kernel.limits.token_bucket import UNLIMITED, Decision, WindowState
from gateway.observe.access_log import AccessLog
from gateway.observe.metrics import Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRecord, ErrorRing, Lane
from gateway.stages.record import Recorder
from gateway.table import Route
from tests.logged_gateway import Lines
from tests.samples import MINUTE, Pieces, caller, exchange, route
from tests.unit.stages.recording import served
from tests.unit.upstream.calls import call


class Errors(ErrorLog):
    """Keeps what is written among the last errors."""

    def __init__(self) -> None:
        super().__init__(ErrorRing())
        self.kept: list[tuple[Any, ...]] = []

    def write(self, lane: Lane, record: ErrorRecord) -> None:
        self.kept.append((lane, *msgspec.structs.astuple(record)))


def written(*exchanges: Exchange) -> tuple[Any, ...]:
    """What is written about the last one, after the others were recorded: its line, and what is kept of its error."""
    lines, errors = Lines(), Errors()
    recorder = Recorder(Metrics(), AccessLog(lines, lambda: 0.0), "X-Api-Key", errors)
    for x in exchanges:
        errors.kept.clear()
        recorder.begin()
        recorder.record(x, 0.010)
    return json.loads(lines.lines[-1]), *errors.kept


def decided(**changes: Any) -> Exchange:
    x = served()
    fields: dict[str, Any] = {"allowed": True, "store": "local", "states": (WindowState(MINUTE, 7, 200_000, 0),)}
    x.decision = Decision(**(fields | changes))
    return x


def undecided(**changes: Any) -> Exchange:
    x = served(**changes)
    x.decision = None
    return x


def hedged() -> Exchange:
    x = served()
    x.call = msgspec.structs.replace(call(), hedge="won")
    return x


def unanswered() -> Exchange:
    x = served(error=GatewayError(UPSTREAM_REFUSED))
    x.answer, x.reply = None, Reply(503, [], b"", code=1004)
    return x


def of_somebody_else() -> Exchange:
    x = served(client="192.0.2.99", path="/other", method="GET", body=Pieces(), client_s=0.002)
    x.caller = caller(id="other", organization="others")
    x.request_id, x.trace_id, x.sent_bytes = "other-id", "other-trace", 99
    x.reply = Reply(200, [], b"", source="upstream", upstream_request_id="theirs")
    return x


def of_nobody() -> Exchange:
    x = undecided()
    x.caller = None
    return x


MAKERS: dict[str, Callable[[], Exchange]] = {
    "served": served,
    "unlimited": lambda: decided(store="none", states=()),
    "looked at": lambda: served(peeked=True),
    "looked at, without a limit": lambda: exchange(route=route(), caller=caller(), decision=UNLIMITED, peeked=True),
    "nothing decided": undecided,
    "refused": lambda: decided(allowed=False),
    "in Redis": lambda: decided(store="redis"),
    "shadow": lambda: decided(shadows=(MINUTE,)),
    "of a kind of error": lambda: undecided(error=GatewayError(KEY_EXPIRED)),
    "of an error with a cause": lambda: undecided(error=GatewayError(KEY_EXPIRED, cause="because")),
    "looked at, an error": lambda: served(peeked=True, error=GatewayError(KEY_EXPIRED)),
    "abandoned": lambda: served(outcome="abandoned", error=GatewayError(CLIENT_CLOSED)),
    "compressed": lambda: served(coded=Coded("br", 25, 5)),
    "from a cache": lambda: served(cache=CacheUse("hit", 3.9)),
    "repeated": lambda: served(idempotency="replayed"),
    "second attempt": hedged,
    "unanswered": unanswered,
    "somebody else's": of_somebody_else,
    "nobody's": of_nobody,
}


@pytest.mark.parametrize("last", MAKERS)
def test_a_record_says_nothing_of_the_exchange_before(last: str) -> None:
    taken = route()
    wanted = written(at(taken, last))
    for first in MAKERS:
        assert written(at(taken, first), at(taken, last)) == wanted, first


def at(taken: Route, name: str) -> Exchange:
    x = MAKERS[name]()
    x.route = taken
    return x
