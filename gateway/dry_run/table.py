"""A table of routes whose upstreams keep the call and send nothing."""

from copy import copy

from gateway.kernel.copies import replace
from gateway.kernel.faults import GatewayError
from gateway.kernel.http.request_fields import RequestLine
from gateway.table import Route, RouteTable
from gateway.upstream.call import Answer, Call

_EMPTY = Answer(200, [(b"content-type", b"application/json")], b"{}", None, 2, "")


class Unsent:
    """Takes the place of an upstream: keeps the call, and answers with `answer`."""

    def __init__(self, upstream: str, answer: Answer | None = None) -> None:
        self.id = upstream
        self.call: Call | None = None
        self._answer = answer or _EMPTY

    async def send(self, call: Call) -> Answer:
        """Keep `call` as it would have been sent. Raises nothing."""
        self.call = copy(call)
        return copy(self._answer)


class DryTable(RouteTable):
    """The compiled `table` itself, but what it matches leads to an `Unsent`. For one request.

    Laws about rivals compare routes by identity, so the table is asked about the route that it has matched.
    """

    __slots__ = ("_answer", "_matched", "unsent")

    def __init__(self, table: RouteTable, answer: Answer | None = None) -> None:
        for name in RouteTable.PARTS:
            setattr(self, name, getattr(table, name))
        self._answer = answer
        self._matched: Route | None = None
        self.unsent: Unsent | None = None

    def match(self, method: str, path: str, line: RequestLine | None = None) -> Route | GatewayError:  # noqa: ARG002
        """See `RouteTable.match`. What leads nowhere is not kept."""
        route = super().match(method, path)
        if isinstance(route, GatewayError):
            return route
        self._matched = route
        if route.upstream is None:
            return route if route.self_service is None else replace(route, self_service=None)
        self.unsent = Unsent(route.upstream.id, self._answer)
        return replace(route, upstream=self.unsent)

    def permit(self, allowed: frozenset[str], route: Route, method: str, path: str) -> GatewayError | None:
        """See `RouteTable.permit`."""
        return super().permit(allowed, route if self._matched is None else self._matched, method, path)
