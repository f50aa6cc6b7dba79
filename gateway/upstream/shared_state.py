"""The state of all targets of a node, in memory that all its processes share.

There is a row of numbers for each upstream and each of its targets. A process that changes a row changes the `version`
of its upstream after that, so that the others need to compare only this number, without a system call. Each
configuration has its own shared state, which begins with the rows of the targets that the last configuration had
already.
"""

import mmap
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

from gateway.kernel.faults import CATALOGUE
from gateway.kernel.health import Findings, Verdict
from gateway.net.name_memory import NameMemory
from gateway.net.name_resolver import is_literal

_WIDTH = 10
"""The number of slots in a row."""
_NUMBER_BYTES = 8
_NEXT = 1e-6
"""What is added to a version, so that the other processes read the rows."""
_FAULTS = tuple(CATALOGUE)
BY_HAND = "operator"
"""The reason of an ejection by an operator."""


def _outcome(number: float) -> int | str:
    """Return the status or the name of a fault that `_number` has made a number of."""
    found = int(number)
    return found or BY_HAND if found >= 0 else _FAULTS[-1 - found]


def _number(found: int | str) -> int:
    if found == BY_HAND:
        return 0
    return found if isinstance(found, int) else -1 - _FAULTS.index(found)


class _Number:
    """A descriptor of one slot of a row."""

    def __init__(self, at: int) -> None:
        self._at = at

    def __get__(self, row: "Row", _: type["Row"]) -> float:
        return row.slots[self._at]

    def __set__(self, row: "Row", value: float) -> None:
        row.slots[self._at] = value


class Row:
    """A row of slots.

    Times are readings of the monotonic clock, which all processes of a machine share; 0 is in the past.
    """

    def __init__(self, slots: "memoryview[float]") -> None:
        self.slots = slots


class TargetRow(Row):
    """The row of a target.

    `ejections` counts the ejections since the target last answered, `ejected_by` is the process that ejected it.

    While the count is not 0 the target is on probation, also after the ejection has ended: one call at a time is then a
    trial. `trial_until` is when the trial under way counts as lost, 0 for none. `back_at` is when it has last come back
    from an ejection or from downtime, or was added. `checked_at` is in Unix time, 0 for never.
    """

    ejected_until = _Number(0)
    ejections = _Number(1)
    ejected_by = _Number(2)
    checked_at = _Number(3)
    _ejected_for = _Number(4)
    _result = _Number(5)
    _verdict = _Number(6)
    _against = _Number(7)
    trial_until = _Number(8)
    back_at = _Number(9)

    @property
    def reason(self) -> int | str:
        """The cause of the last ejection: a status, or the name of a fault."""
        return _outcome(self._ejected_for)

    @reason.setter
    def reason(self, found: int | str) -> None:
        self._ejected_for = _number(found)

    @property
    def result(self) -> int | str:
        """The result of the last health check: a status, or the name of a fault."""
        return _outcome(self._result)

    @result.setter
    def result(self, found: int | str) -> None:
        self._result = _number(found)

    @property
    def findings(self) -> Findings:
        """The findings from all health checks so far."""
        return Findings(Verdict(int(self._verdict)), int(self._against))

    @findings.setter
    def findings(self, findings: Findings) -> None:
        self._verdict, self._against = findings

    def ejected(self, now: float) -> bool:
        return now < self.ejected_until

    @property
    def down(self) -> bool:
        """Whether its health checks have failed."""
        return self._verdict == Verdict.DOWN

    def up(self, now: float) -> bool:
        """Return whether calls may go to it."""
        return self.ejected_until <= now and self._verdict != Verdict.DOWN


class UpstreamRow(Row):
    """`opens` counts how often the circuit has opened in a row, 0 while it is closed.

    `targets` have the order of the configuration.
    """

    version = _Number(0)
    opens = _Number(1)
    open_until = _Number(2)
    trial_until = _Number(3)

    def __init__(self, slots: "memoryview[float]", targets: Mapping[str, TargetRow], *, checked: bool) -> None:
        super().__init__(slots)
        self._checked = checked
        self._targets = dict(targets)
        self.targets = tuple(targets.values())

    def eject_by_hand(self, target: TargetRow, until: float, process: int) -> None:
        """Eject `target`; afterwards it is on probation. `process` is the id of this process."""
        target.ejections = max(1.0, target.ejections)
        target.ejected_until, target.ejected_by, target.reason = until, process, BY_HAND
        self.version += _NEXT

    def return_by_hand(self, target: TargetRow, now: float) -> None:
        """End the ejection and the probation of `target`."""
        target.ejected_until = target.ejections = target.trial_until = 0.0
        target.back_at = now
        self.version += _NEXT

    def adopt(self, before: "UpstreamRow", now: float) -> None:
        """Copy the row of `before`, and those of the targets that both have. New ones have come `now`."""
        self.slots[:] = before.slots
        self.trial_until = 0.0  # the result of that trial is written to the other shared state
        for url, row in self._targets.items():
            if url in before._targets:
                row.slots[:] = before._targets[url].slots
                row.trial_until = 0.0
            else:
                row.back_at = now
            if not self._checked:
                row.findings = Findings(Verdict.UNKNOWN, 0)
                row.checked_at = 0.0
            if len(self._targets) == 1:  # a single target is always called
                row.ejected_until = row.ejections = 0.0


class SharedState:
    """The rows of `upstreams`, which are given by id with the URLs of their targets.

    Those in `checked` have health checks.
    It has to be made before the processes that share it are forked.
    """

    def __init__(self, upstreams: Mapping[str, Sequence[str]], checked: Collection[str] = ()) -> None:
        rows = sum(1 + len(urls) for urls in upstreams.values())
        self._free = memoryview(mmap.mmap(-1, max(1, rows) * _WIDTH * _NUMBER_BYTES)).cast("d")
        hosts = [urlsplit(url).hostname or "" for urls in upstreams.values() for url in urls]
        self.names = NameMemory([host for host in hosts if not is_literal(host)])
        self.upstreams = {
            name: UpstreamRow(self._row(), {url: TargetRow(self._row()) for url in urls}, checked=name in checked)
            for name, urls in upstreams.items()
        }

    def adopt(self, before: "SharedState", now: float) -> None:
        """Copy from `before` the rows of all upstreams, targets and names that both have, at the time `now`."""
        self.names.adopt(before.names)
        for name, row in self.upstreams.items():
            if name in before.upstreams:
                row.adopt(before.upstreams[name], now)

    def writer_exited(self) -> None:
        """Note that a process has ended. A trial of its own has no result, so that the next call is the trial."""
        for row in self.upstreams.values():
            row.trial_until = 0.0
            for target in row.targets:
                target.trial_until = 0.0
            row.version += _NEXT

    def _row(self) -> "memoryview[float]":
        row, self._free = self._free[:_WIDTH], self._free[_WIDTH:]
        return row
