"""The demands of routes on calls, in a form in which two routes can be compared."""

import msgspec

from gateway.table.routes import Route


class MethodDemand(msgspec.Struct, frozen=True):
    """The demand for one method: tokens, names of the windows that may refuse, and quotas that are charged."""

    cost: int
    windows: frozenset[str]
    charges: frozenset[tuple[str, str]]


_NOTHING = MethodDemand(1, frozenset(), frozenset())


class Demand:
    """The demands of one route: a key or a plan for each client address, addresses, and its own limits by method."""

    __slots__ = ("addresses", "by_method", "key", "plan")

    def __init__(self, route: Route) -> None:
        tariff = route.tariff
        self.key = not route.open
        self.addresses = route.addresses
        self.plan = route.open_plan if route.open and any(not window.shadow for window in route.open_windows) else None
        self.by_method = {} if tariff is None else {method: _method_demand(route, method) for method in route.methods}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Demand) and (self.key, self.plan, self.addresses, self.by_method) == (
            other.key,
            other.plan,
            other.addresses,
            other.by_method,
        )

    def __hash__(self) -> int:
        return hash((self.key, self.plan, self.addresses, frozenset(self.by_method.items())))

    def exceeds(self, other: "Demand", method: str) -> bool:
        """Return whether a call with `method` that passes `other` might be refused here.

        A method not served here counts as each that is.
        """
        if not other.key and (self.key or self.plan not in {None, other.plan}):
            return True
        if self.addresses not in {None, other.addresses}:
            return True
        passed = other.by_method.get(method, _NOTHING)
        candidates = (
            [self.by_method[method]] if method in self.by_method else list(self.by_method.values()) or [_NOTHING]
        )
        return any(
            each.cost > passed.cost or each.windows - passed.windows or each.charges - passed.charges
            for each in candidates
        )

    def may_exceed(self, other: "Demand") -> bool:
        """Return whether this demand exceeds the other one with some method."""
        return any(self.exceeds(other, method) for method in {*self.by_method, *other.by_method, ""})


def _method_demand(route: Route, method: str) -> MethodDemand:
    tariff = route.tariff
    assert tariff is not None
    windows = frozenset(window.id for window in tariff.limits.get(method, ()) if not window.shadow)
    return MethodDemand(tariff.costs.get(method, 1), windows, tariff.charges(method))
