"""dry_run/table.py: the routes are those of the table, and nothing is sent."""

from gateway.dry_run.table import DryTable, Unsent
from gateway.kernel.faults import ROUTE_FORBIDDEN
from gateway.table import RouteTable
from gateway.upstream.call import Answer, Call
from tests.refusals import accepted, refusal
from tests.samples import Echo, route

UPSTREAM = Echo()
TABLE = RouteTable(
    [route("/a", upstream=UPSTREAM), route("/A", id="strict"), route("/limits", id="own", upstream=None)]
)
CALL = Call(
    *(b"GET", b"/a", b"", (), b""),
    idempotent=True,
    buffer_bytes=0,
    connect_timeout_s=1.0,
    first_byte_timeout_s=1.0,
    total_timeout_s=1.0,
    idle_timeout_s=1.0,
    events_idle_timeout_s=1.0,
)


async def test_a_call_is_kept_and_not_sent() -> None:
    table = DryTable(TABLE, Answer(404, [], b"", None, 0, "t"))
    found = accepted(table.match("GET", "/a"))
    assert (found.id, table.routes, table.near("/a")) == ("orders", TABLE.routes, TABLE.routes[0])
    assert isinstance(found.upstream, Unsent)
    assert found.upstream is table.unsent
    answer = await found.upstream.send(CALL)
    assert (answer.status, found.upstream.call, UPSTREAM.calls) == (404, CALL, [])
    CALL.total_timeout_s = 2.0
    assert table.unsent.call is not None
    assert table.unsent.call.total_timeout_s == 1.0


async def test_without_an_answer_it_is_an_empty_success() -> None:
    assert (await Unsent("u").send(CALL)).body == b"{}"


def test_a_route_of_the_gateway_itself_stays_as_it_is() -> None:
    table = DryTable(TABLE)
    assert accepted(table.match("GET", "/limits")) is TABLE.routes[2]
    assert table.unsent is None


def test_what_would_rotate_a_key_does_nothing() -> None:
    table = DryTable(RouteTable([route("/key/rotate", id="own", upstream=None, self_service=object())]))
    assert accepted(table.match("GET", "/key/rotate")).self_service is None


def test_permissions_are_those_of_the_matched_route() -> None:
    table = DryTable(TABLE)
    found = accepted(table.match("GET", "/a"))
    assert table.permit(frozenset({"orders", "strict"}), found, "GET", "/a") is None
    raised = refusal(table.permit(frozenset({"orders"}), found, "GET", "/a"))
    assert raised.fault is ROUTE_FORBIDDEN
