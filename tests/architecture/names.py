"""Names that the sources define, and the ones that must not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.architecture.files import ROOT, sources

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")

OLD_WORDS = {
    "bequeath": "hand_over",
    "bequeathed": "handed_over",
    "bereave": "writer_exited",
    "brother": "reuseport_sibling",
    "clerk": "query_handler",
    "clerks": "query_handlers",
    "desk": "query_server",
    "doorbook": "listener_events",
    "doorstep": "listener_server",
    "dress": "response_headers",
    "estate": "handover_state",
    "heir": "successor",
    "ledger": "memory_quotas",
    "misgivings": "not_ready_reasons",
    "ordeal": "endurance",
    "ordeals": "endurance",
    "outbox": "write_batch",
    "owing": "deferred",
    "porch": "handshake_acceptor",
    "rang": "expired",
    "shelf": "redis keys",
    "stillborn": "worker_start",
    "tell": "limits_endpoint",
    "tells": "reports",
    "testator": "predecessor",
    "things": "items",
    "thing": "item",
    "told": "reported",
    "veil": "redactor",
    "veiled": "redacted",
}
"""Words of the first release, each with the one that replaced it. No part of a name is one of these."""

OLD_NAMES = {
    "Alarm": "Deadline",
    "Board": "SharedState",
    "Breaker": "Availability",
    "Circuit": "CircuitBreaker",
    "Crew": "WorkerPool",
    "Door": "RequestHeadChecker",
    "Draft": "CheckContext",
    "Hold": "Reservation",
    "Intake": "RequestReader",
    "Ladder": "FailurePolicy",
    "Move": "MeterUpdate",
    "Notes": "ProblemList",
    "Pulse": "Heartbeat",
    "Rounds": "HealthChecks",
    "Room": "ConnectionLimits",
    "Stamp": "Timestamp",
    "Standing": "OutlierDetector",
    "Turns": "Coalescer",
    "Will": "successor",
    "admit": "to_exchange",
    "alarm": "deadline",
    "asking": "admin_client",
    "board": "shared_state",
    "crew": "worker_pool",
    "door": "request_head",
    "door_error": "head_error",
    "draft": "context",
    "guesses": "guess_throttle",
    "intake": "request_reader",
    "ladder": "failure_policy",
    "lend": "seed_share",
    "look": "probe, peek",
    "looked": "peeked",
    "move": "update",
    "moves": "updates",
    "notes": "problem_list",
    "outline": "inventory",
    "place": "position",
    "places": "positions",
    "pulse": "heartbeat",
    "refuse": "error_reply, reject",
    "room": "connection_limits",
    "said": "message",
    "says": "states",
    "spine": "paths of one call",
    "stamp": "timestamp",
    "standing": "outlier_detector",
    "terms": "from_settings",
    "town": "deployment",
    "turned_away": "rejected",
    "turns": "coalescer",
    "will": "successor",
    "wire": "response_head",
}
"""Whole names of the first release that are common words, each with what stands in its place."""


class Named(NamedTuple):
    """A name that a file defines: of a module, class, function, method, attribute, parameter or variable."""

    name: str
    path: Path

    def __str__(self) -> str:
        return f"{self.path}: {self.name}"


def parts_of(name: str) -> list[str]:
    """The words of a name, in lower case."""
    return [part.lower() for part in _PARTS.findall(name)]


def defined_names(top: str) -> Iterator[Named]:
    """Every name that a file below `top` defines, its own included."""
    for path in sources(top):
        yield Named(path.stem, path)
        for name in _names_in(ast.parse((ROOT / path).read_text())):
            yield Named(name, path)


def _names_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


def public_types() -> Iterator[Named]:
    """Classes and type aliases at the top level of modules of the package, without those that are private."""
    for path in sources("gateway"):
        for node in ast.parse((ROOT / path).read_text()).body:
            match node:
                case ast.ClassDef(name=name):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                    pass
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript()) if (
                    name[0].isupper() and not name.isupper()
                ):
                    pass
                case _:
                    continue
            if not name.startswith("_"):
                yield Named(name, path)
