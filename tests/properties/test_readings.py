"""No spelling of a path reaches, past the gateway, what the plain spelling is refused.

`SPELLINGS=100000 pytest tests/properties/test_readings.py` tries as many; the suite itself tries some thousands.
"""

import os
import random
from typing import NamedTuple

import pytest

from gateway.kernel.faults import NO_ROUTE, Fault, GatewayError
from gateway.kernel.http.path_safety import merged
from gateway.kernel.limits.token_bucket import Window
from gateway.table import Route, RouteTable
from gateway.table.limits import Tariff
from gateway.table.requirements import Demand
from tests.respelled import MODELS, PATHS, Reached, spellings
from tests.samples import MINUTE, route

COUNT = int(os.environ.get("SPELLINGS", "3000"))
METHODS = ("GET", "HEAD", "POST", "DELETE")


def limited(name: str) -> Tariff:
    own = (Window(f"route/{name}/second", 1, 1_000_000, "Second"),)
    return Tariff(dict.fromkeys(METHODS, 1), dict.fromkeys(METHODS, own))


def opened(pattern: str = "/", **changes: object) -> Route:
    ordinary = {
        "id": f"open {pattern}",
        "prefix": True,
        "open": True,
        "open_plan": "anonymous",
        "open_windows": (MINUTE,),
    }
    return route(pattern, **(ordinary | changes))


TABLES = {
    "an open route around keyed ones": [
        opened(),
        route("/v1", id="api", prefix=True),
        route("/v1/admin", id="admin"),
        route("/caf%C3%A9", id="cafe", prefix=True),
    ],
    "an open route around single paths with few methods": [
        opened(),
        route("/v1/orders", id="orders", methods=("GET",)),
        route("/v1/orders/{id}", id="api", methods=("GET", "DELETE")),
        route("/v1/admin", id="admin", methods=("POST",)),
        route("/v1/items/{id}/parts", id="parts"),
        route("/v1/Reports", id="reports"),
        route("/files/{rest*}", id="files", methods=("GET",)),
        route("/caf%C3%A9/menu", id="menu"),
    ],
    "limits within a key": [
        route("/", id="api", prefix=True),
        route("/v1/orders", id="orders", tariff=limited("orders")),
        route("/v1/items/{id}/parts", id="parts", tariff=limited("parts")),
        route("/v1/admin", id="admin"),
        opened("/files"),
    ],
    "open routes with limits of their own": [
        opened(),
        opened("/v1/orders", prefix=False, tariff=limited("orders")),
        route("/v1/admin/", id="admin"),
        opened("/files/{rest*}", prefix=False, open_plan="strict"),
    ],
    "paths that are rewritten": [
        opened("/public", strip_segments=1),
        route("/v1", id="v1", prefix=True),
        route("/v1/admin", id="admin"),
        route("/api/{rest*}", id="api", strip_segments=1),
    ],
}


class Caller(NamedTuple):
    """Without a key, or with one for the routes `allowed`, None for all."""

    keyed: bool
    allowed: frozenset[str] | None = None


KEYED = Caller(keyed=True)
CALLERS = (Caller(keyed=False), Caller(keyed=True, allowed=frozenset({"api"})), KEYED)


def matched(table: RouteTable, method: str, path: str) -> Route | Fault:
    found = table.match(method, path)
    return found.fault if isinstance(found, GatewayError) else found


def served(table: RouteTable, method: str, path: str, caller: Caller) -> Route | None:
    """The route that takes the call, None when it is refused."""
    found = matched(table, method, path)
    if isinstance(found, Fault) or found.open:
        return found if isinstance(found, Route) else None
    if not caller.keyed:
        return None
    if caller.allowed is None:
        return found
    if found.id not in caller.allowed:
        return None
    return found if table.permit(caller.allowed, found, method, path) is None else None


def arrives(found: Route, path: str) -> str:
    """What the service gets of it."""
    return found.upstream_path(merged(path)) or "/"


@pytest.mark.parametrize("name", TABLES)
def test_what_is_refused_in_its_plain_spelling_is_reached_in_no_other(name: str) -> None:
    table = RouteTable(TABLES[name])
    chance = random.Random(name)
    stopped = 0
    for path in spellings(COUNT, seed=len(name)):
        method, caller = chance.choice(METHODS), chance.choice(CALLERS)
        found = served(table, method, path, caller)
        reached = {
            framework: model(path if found is None else arrives(found, path)) for framework, model in MODELS.items()
        }
        for framework, one in reached.items():
            if found is None:
                stopped += one is not None
            elif one is not None:
                check(table, found, method, one, caller, f"{framework}: {method} {path} by {found.id} reaches {one}")
    assert stopped > COUNT / 20  # or the spellings are harmless


def check(table: RouteTable, found: Route, method: str, reached: Reached, caller: Caller, reported: str) -> None:
    """What `found` leads to is not refused in its plain spelling, and asks for no more there."""
    plain = matched(table, method, reached.plain)
    if isinstance(plain, Fault):
        assert plain is NO_ROUTE or found.pattern == f"{reached.handler}/", (
            reported
        )  # what guards it is spelled with a slash
    elif (
        found.strip_segments
    ):  # another route of its own to this path; what has one that is more specific is guarded by that
        assert plain.open or plain.pattern != reached.handler or not found.open, reported
        assert plain.pattern != reached.handler or caller.allowed is None or plain.id in caller.allowed, reported
    else:
        assert served(table, method, reached.plain, caller) is not None, reported
        assert not Demand(plain).exceeds(Demand(found), method), reported


@pytest.mark.parametrize("name", TABLES)
def test_plain_spellings_are_served_to_those_who_may(name: str) -> None:
    table = RouteTable(TABLES[name])
    refused = [path for path in PATHS if served(table, "GET", path, KEYED) is None]
    assert refused == REFUSED.get(name, [])


REFUSED = {
    "an open route around single paths with few methods": ["/v1/admin"],  # a GET, which only the open route has
    "open routes with limits of their own": ["/v1/admin"],  # a slash is missing
    "paths that are rewritten": [
        "/files/a/b",
        "/caf%C3%A9/menu",
        "/public/v1/admin",
        "/",
    ],  # the last but one leads to what `admin` guards
}
