"""request_life.py, where paths can be read in several ways."""

from tests.in_memory_gateway import GOOD, answered, gateway
from tests.samples import Echo, exchange, route


async def test_no_reading_of_a_path_gets_a_key_to_a_route_that_it_may_not_use() -> None:
    echo = Echo()
    one = gateway(
        route("/v1", id="all", prefix=True, upstream=echo), route("/v1/admin", id="admin"), allowed=frozenset({"all"})
    )
    for path in ("/v1/admin/", "/v1/Admin", "/v1/%2561dmin"):
        status, body, fields = await answered(one, exchange(GOOD, path=path))
        assert (status, body["data"]["code"], fields["X-RateLimit-Remaining-Minute"]) == (403, 1003, "300")
    assert not echo.calls


async def test_slashes_in_a_row_go_on_as_one() -> None:
    echo = Echo()
    one = gateway(route("/v1", prefix=True, upstream=echo, strip_segments=1))
    x = exchange(GOOD, path="//v1///orders//7%2F%2F", query="a=//")
    assert (await answered(one, x))[0] == 200
    assert [call.path for call in echo.calls] == [b"/orders/7%2F%2F?a=//"]
