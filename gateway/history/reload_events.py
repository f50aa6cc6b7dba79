"""The last reloads, and what each of them has changed, as `gateway diff` reports it."""

import os
from collections import deque
from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.config_diff.changes import Change, changes
from gateway.config_diff.inventory import Redactor, items_of
from gateway.settings import Config

KEPT = 20
MOST_CHANGES = 200
_SALT_BYTES = 16


class ReloadEvent(msgspec.Struct, frozen=True):
    """A configuration was read. `at` is Unix time.

    `problems` are those for which it was refused. `changes` are the first of `changed` differences from the
    configuration before.
    """

    at: float
    result: Literal["started", "success", "failure"]
    problems: Sequence[str] = ()
    changes: Sequence[Change] = ()
    changed: int = 0


class ReloadEvents:
    """Begins with the start of the gateway at `now`, in Unix time."""

    def __init__(self, now: float) -> None:
        self.events: deque[ReloadEvent] = deque([ReloadEvent(now, "started")], maxlen=KEPT)
        """The last reloads, the newest last."""

    def __repr__(self) -> str:
        return f"<ReloadEvents {len(self.events)}>"

    def refused(self, at: float, problems: Sequence[str]) -> None:
        self.events.append(ReloadEvent(at, "failure", tuple(problems)))

    def succeeded(self, at: float, found: Sequence[Change]) -> None:
        self.events.append(ReloadEvent(at, "success", (), tuple(found[:MOST_CHANGES]), len(found)))


def differences(before: Config, after: Config) -> list[Change]:
    """Return what has changed, without secrets. This takes a second for some ten thousand keys."""
    redactor = Redactor(os.urandom(_SALT_BYTES), local=False)
    return changes(items_of(before, redactor), items_of(after, redactor))
