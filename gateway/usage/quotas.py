"""What callers have of quotas and concurrency, on routes that they may use."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.kernel.limits.quota import MeterKind, MeterState, Posting
from gateway.kernel.limits.token_bucket import LimitOwner
from gateway.table.keyring import Caller
from gateway.table.routes import Route


class Metered(msgspec.Struct, omit_defaults=True):
    """One quota, or one limit of concurrency. `per` is of a `count` or a `sum`.

    Some of it is free again by itself in `opens_in_seconds`, None: never, or when a call is over. `routes` are those whose calls
    are charged; concurrency is the same on all.
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
    """A meter that a caller has, and the ids of the routes where it is charged."""

    posting: Posting
    routes: tuple[str, ...]


def charged_on(caller: Caller, usable: Sequence[tuple[Route, Sequence[str]]]) -> tuple[Charged, ...]:
    """Every meter once. `usable` are routes, and the methods that the caller may use there."""
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
