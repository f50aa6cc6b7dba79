"""Counts for tests of the history."""

from gateway.history.measures import SERVER_ERRORS, WIDTH, Counts, CountTables, HistoryDimension

TEN_MS = 10
"""The element of the histogram in which a duration of some 10 ms is."""


def calls(number: int, server_errors: int = 0) -> Counts:
    """So many calls of some 10 ms."""
    made = [0] * WIDTH
    made[TEN_MS], made[SERVER_ERRORS] = number, server_errors
    return made


def tables(number: int, route: str = "orders", **more: Counts) -> CountTables:
    """Calls of a route; `more` are rows of other dimensions, by a name of one part."""
    dimensions: dict[str, HistoryDimension] = {"key": "key", "organization": "organization"}
    return {"route": {(route,): calls(number)}, **{dimensions[name]: {("acme",): row} for name, row in more.items()}}
