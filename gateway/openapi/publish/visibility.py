"""Which routes can be reached from where: by the host and the listener that are asked, and by the client's address."""

from typing import NamedTuple

from gateway.kernel.addresses import AddressRules, address_rules
from gateway.kernel.http.route_conditions import bare_host
from gateway.settings import Config


class Reachable(NamedTuple):
    """What a request can reach: `hosts` are those of routes that its host fits, `hidden` routes are not reached."""

    hosts: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


class Visibility:
    """Knows the conditions of routes. Header fields are none that hide one: a caller may send any."""

    def __init__(self, config: Config) -> None:
        found = config.routes
        self._hosts = frozenset(route.match.host for route in found if route.match.host is not None)
        self._listeners = {route.id: route.match.listener for route in found if route.match.listener is not None}
        self._rules: dict[str, AddressRules] = {
            route.id: rules for route in found if (rules := address_rules(*config.addresses_of(route))) is not None
        }

    def of(self, host: str, listener: str, client: str) -> Reachable:
        """Return what a request of `client` reaches. `host` is its Host field, `listener` "" where none matters."""
        hidden = {route for route, wanted in self._listeners.items() if listener and wanted != listener}
        hidden |= {route for route, rules in self._rules.items() if not rules.permits(client)}
        return Reachable(self.hosts_of(host), frozenset(hidden))

    def hosts_of(self, host: str) -> frozenset[str]:
        """Return the hosts of routes that a Host field fits."""
        name = bare_host(host)
        return frozenset(each for each in self._hosts if _fits(each, name))


def _fits(pattern: str, name: str) -> bool:
    return name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:]) and name != pattern[1:])
