"""Reports the quotas and concurrency limits of a caller on the routes that it may use."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.kernel.limits.quota import MeterKind, MeterState, Posting
from gateway.kernel.limits.token_bucket import LimitOwner
from gateway.table.keyring import Caller
from gateway.table.routes import Route


class Metered(msgspec.Struct, omit_defaults=True):
    """The state of one quota or one concurrency limit. `per` is set for a `count` or a `sum`.

    `opens_in_seconds` is the time until some of it becomes free without a call ending, None if that does not happen.
    `routes` are the routes whose calls are charged; it is empty for concurrency, which is the same on all routes.
    """

    id: str
    kind: MeterKind
    code: int
    scope: LimitOwner
    max: int
    used: int
    remaining: int
    opens_in_seconds: float | None
    per: Literal["month", "ever"] | None = None
    routes: tuple[str, ...] = ()


class Charged(msgspec.Struct, frozen=True):
    """A meter of a caller, and the ids of the routes where it is charged."""

    posting: Posting
    routes: tuple[str, ...]


def charged_on(caller: Caller, usable: Sequence[tuple[Route, Sequence[str]]]) -> tuple[Charged, ...]:
    """Return every meter once. `usable` holds routes with the methods that the caller may use there."""
    postings: dict[str, Posting] = {}
    routes: dict[str, dict[str, None]] = {}
    for route, methods in usable:
        for method in methods:
            for posting in route.tariff.postings(caller, method) if route.tariff is not None else ():
                if posting.act == "charge":
                    postings[posting.key] = posting
                    routes.setdefault(posting.key, {})[route.id] = None
    return tuple([Charged(posting, tuple(routes[key])) for key, posting in postings.items()])


def metered(state: MeterState, routes: tuple[str, ...]) -> Metered:
    """Return the report of one meter."""
    meter, used = state.meter, state.used
    passes = meter.tallied or (meter.kind == "level" and used > 0)
    return Metered(
        id=meter.id,
        kind=meter.kind,
        code=meter.fault.code,
        scope=meter.owner,
        max=meter.max,
        used=used,
        remaining=max(meter.max - used, 0),
        opens_in_seconds=state.opens_s if passes else None,
        per=None if not meter.tallied else "month" if meter.monthly else "ever",
        routes=() if meter.kind == "concurrency" else routes,
    )
