"""What is known of the targets of a node, in memory that all its processes share.

A row of numbers for each upstream and each of its targets. Whoever finds something out writes it there and then changes
the upstream's `version`: for all the others one look at that number is enough, without a system call. A configuration has
a board of its own, which begins with what the last one said of the targets that stay.
"""

import mmap
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

from gateway.kernel.faults import CATALOGUE, Fault
from gateway.kernel.health import Findings, Verdict
from gateway.upstream.name_memory import NameMemory
from gateway.upstream.names import is_literal

_WIDTH = 10
"""Numbers in a row."""
_NUMBER_BYTES = 8
_FAULTS = tuple(CATALOGUE.values())


class _Number:
    """One place of a row."""

    def __init__(self, at: int) -> None:
        self._at = at

    def __get__(self, row: "Row", _: type["Row"]) -> float:
        return row.slots[self._at]

    def __set__(self, row: "Row", value: float) -> None:
        row.slots[self._at] = value


class Row:
    """Times are readings of the monotonic clock, which is one for all processes of a machine; 0 is long ago."""

    def __init__(self, slots: "memoryview[float]") -> None:
        self.slots = slots


class TargetRow(Row):
    """`ejections` is how many there have been since the target last answered, `ejected_by` the id of the process that did it.

    While there are any it is on probation, also when the last one is over: then one call at a time tries it. `trial_until` is
    when the one under way counts as lost, 0 for none. `checked_at` is in Unix time, 0 for never.
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

    @property
    def reason(self) -> Fault:
        """Of the last ejection."""
        return _FAULTS[int(self._ejected_for)]

    @reason.setter
    def reason(self, fault: Fault) -> None:
        self._ejected_for = _FAULTS.index(CATALOGUE[fault.name])

    @property
    def result(self) -> int | str:
        """Of the last check: a status, or the name of a fault."""
        number = int(self._result)
        return number if number >= 0 else _FAULTS[-1 - number].name

    @result.setter
    def result(self, found: int | str) -> None:
        self._result = found if isinstance(found, int) else -1 - _FAULTS.index(CATALOGUE[found])

    @property
    def findings(self) -> Findings:
        """Of all its checks."""
        return Findings(Verdict(int(self._verdict)), int(self._against))

    @findings.setter
    def findings(self, findings: Findings) -> None:
        self._verdict, self._against = findings

    def ejected(self, now: float) -> bool:
        return now < self.ejected_until

    @property
    def down(self) -> bool:
        """Its checks say so."""
        return self._verdict == Verdict.DOWN

    def up(self, now: float) -> bool:
        """Whether it is called."""
        return self.ejected_until <= now and self._verdict != Verdict.DOWN


class UpstreamRow(Row):
    """`opens` is how often its circuit has opened in a row, 0 while it is closed. `targets` are in the configuration's order."""

    version = _Number(0)
    opens = _Number(1)
    open_until = _Number(2)
    trial_until = _Number(3)

    def __init__(self, slots: "memoryview[float]", targets: Mapping[str, TargetRow], checked: bool) -> None:
        super().__init__(slots)
        self._checked = checked
        self._targets = dict(targets)
        self.targets = tuple(targets.values())

    def adopt(self, before: "UpstreamRow") -> None:
        """Begin with what `before` says of it, and of the targets that both have."""
        self.slots[:] = before.slots
        self.trial_until = 0.0  # what comes of that trial is written on the other board
        for url, row in self._targets.items():
            if url in before._targets:
                row.slots[:] = before._targets[url].slots
                row.trial_until = 0.0
            if not self._checked:
                row.findings = Findings(Verdict.UNKNOWN, 0)
                row.checked_at = 0.0
            if len(self._targets) == 1:  # which is called in any case
                row.ejected_until = row.ejections = 0.0


class SharedState:
    """Rows for `upstreams`, by id, each with the URLs of its targets, of which some are `checked`.

    Made before the processes that share it are forked.
    """

    def __init__(self, upstreams: Mapping[str, Sequence[str]], checked: Collection[str] = ()) -> None:
        rows = sum(1 + len(urls) for urls in upstreams.values())
        self._free = memoryview(mmap.mmap(-1, max(1, rows) * _WIDTH * _NUMBER_BYTES)).cast("d")
        hosts = [urlsplit(url).hostname or "" for urls in upstreams.values() for url in urls]
        self.names = NameMemory([host for host in hosts if not is_literal(host)])
        self.upstreams = {
            name: UpstreamRow(self._row(), {url: TargetRow(self._row()) for url in urls}, name in checked)
            for name, urls in upstreams.items()
        }

    def adopt(self, before: "SharedState") -> None:
        """Begin with what `before` says of the upstreams, targets and names that both have."""
        self.names.adopt(before.names)
        for name, row in self.upstreams.items():
            if name in before.upstreams:
                row.adopt(before.upstreams[name])

    def writer_exited(self) -> None:
        """A process has ended. If a trial was its own nobody will tell what came of it: the next call tries."""
        for row in self.upstreams.values():
            row.trial_until = 0.0
            for target in row.targets:
                target.trial_until = 0.0
            row.version += 1e-6  # let the others look

    def _row(self) -> "memoryview[float]":
        row, self._free = self._free[:_WIDTH], self._free[_WIDTH:]
        return row
