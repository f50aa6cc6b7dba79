"""The compiled configuration: everything that can be decided before a request arrives."""

from gateway.table.keyring import Caller, Credentials, FoundCaller, Key, Keyring, Visitors
from gateway.table.route_table import RouteTable
from gateway.table.routes import Envelope, Mode, Route, Sender

__all__ = [
    "Caller",
    "Credentials",
    "Envelope",
    "FoundCaller",
    "Key",
    "Keyring",
    "Mode",
    "Route",
    "RouteTable",
    "Sender",
    "Visitors",
]
