"""Regions read, added up and written out in the text format of Prometheus or as OpenMetrics.

prometheus-client negotiates the format and writes the metrics of the process. The gateway's own series are written
here, in the same form (a test compares the two): through prometheus-client's samples 10,000 of them take 78 ms, with
rows prepared when a series is first seen about 5 (observe/text_format.py), and a scrape is time taken from requests.
"""

import math
from collections.abc import Callable, Container, Generator, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from gateway.kernel.http.accept import quality
from gateway.observe.shared_memory import Declaration, DirectoryEntry, Region
from gateway.observe.text_format import (
    CounterRows,
    GaugeRows,
    SeriesLocation,
    SlotValues,
    escaped,
    exemplars,
    on_one_line,
    with_exemplars,
)

_OPENMETRICS = "application/openmetrics-text"
_READ_BYTES = 4 << 10
"""The bytes of a directory that are read at once: some 40 lines, a quarter of a millisecond."""
_ALWAYS_KNOWN = frozenset(("-", "other"))
"""The label for no route, and the label of series beyond a family's cap."""

# Else every counter of prometheus-client doubles (https://github.com/prometheus/client_python, "Disabling _created
# metrics").
disable_created_metrics()  # type: ignore[no-untyped-call]  # it takes and returns nothing


class _Merged:
    """A family over all regions."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self._rows = GaugeRows(declaration) if declaration.kind in ("gauge", "info") else CounterRows(declaration)
        self._series: dict[tuple[str, ...], list[SeriesLocation]] = {}
        self._known: list[tuple[int, Container[str]]] = []
        self.exemplars: dict[tuple[str, ...], list[SeriesLocation]] = {}
        """Where those of a histogram are, by its label values."""

    def show(self, known: Mapping[str, Container[str]]) -> None:
        """Show only series whose labels have these values; `known` says which values a label may have."""
        self._known = [(at, known[name]) for at, name in enumerate(self.declaration.labels) if name in known]
        self._rows.clear()
        for values, locations in self._series.items():
            if self._shows(values):
                for location in locations:
                    self._rows.add_location(values, location)

    def add(self, values: tuple[str, ...], location: SeriesLocation) -> None:
        self._series.setdefault(values, []).append(location)
        if self._shows(values):
            self._rows.add_location(values, location)

    def write(self, snapshots: Sequence[SlotValues], *, openmetrics: bool) -> Iterator[bytes]:
        """Yield the family in pieces; nothing as long as it has no series."""
        if self._series:
            yield self._head(openmetrics=openmetrics)
            lines = self._rows.lines(snapshots)
            if openmetrics and self.exemplars:
                lines = with_exemplars(lines, exemplars(self.declaration, self.exemplars, snapshots))
            yield from lines

    def _shows(self, values: tuple[str, ...]) -> bool:
        return all(values[at] in known or values[at] in _ALWAYS_KNOWN for at, known in self._known)

    def _head(self, *, openmetrics: bool) -> bytes:
        d = self.declaration
        # OpenMetrics names the family, the older format the samples.
        name, kind = d.name, d.kind
        if openmetrics:
            name = name.removesuffix("_total").removesuffix("_info") if kind in ("counter", "info") else name
        elif kind == "info":
            kind = "gauge"
        return (
            f"# HELP {name} {escaped(d.help) if openmetrics else on_one_line(d.help)}\n# TYPE {name} {kind}\n".encode()
        )


class Exposition:
    """Reads regions, again and again; remembers what it has read of their directories."""

    def __init__(self, regions: Sequence[Region], *, process: bool = True) -> None:
        """`process`: also write the metrics of this process (process_ and python_info)."""
        self._regions: list[Region] = []
        self._read: list[int] = []
        self._declared: list[list[Declaration]] = []
        self._families: dict[str, _Merged] = {}
        self._known: Mapping[str, Container[str]] = {}
        for region in regions:
            self.add(region)
        self._registry = CollectorRegistry(auto_describe=False)
        if process:
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)

    def add(self, region: Region) -> None:
        """Read this one, too, from the next time on."""
        self._regions.append(region)
        self._read.append(0)
        self._declared.append([])

    def show(self, known: Mapping[str, Container[str]]) -> None:
        """Leave out series that have another value in one of these labels from now on. They are still counted."""
        self._known = known
        for family in self._families.values():
            family.show(known)

    def pieces(self, accept: str) -> tuple[Generator[bytes, None, None], str]:
        """Return the body, some hundred lines at a time, and its content type for a request with this Accept field.

        Finish one before you begin another.
        """
        openmetrics = quality(accept, _OPENMETRICS) > 0
        # Neither a client's version nor its escaping is taken over: every name here is legal in all of them.
        encode, content_type = choose_encoder(f"{_OPENMETRICS}; version=1.0.0" if openmetrics else "")
        return self._pieces(encode, openmetrics=openmetrics), content_type

    def _pieces(
        self, encode: Callable[[CollectorRegistry], bytes], *, openmetrics: bool
    ) -> Generator[bytes, None, None]:
        count = len(self._regions)
        for _ in self._catch_up(count):
            yield b""
        snapshots = [[*region.snapshot(), 0.0] for region in self._regions[:count]]
        for family in list(self._families.values()):
            yield from family.write(snapshots, openmetrics=openmetrics)
        yield encode(self._registry)

    def _catch_up(self, count: int) -> Iterator[None]:
        """Read what the directories gained: before the slots are read, so that every series has its slots there."""
        for at, region in enumerate(self._regions[:count]):
            while True:
                entries, self._read[at] = region.entries(self._read[at], _READ_BYTES)
                if not entries:
                    break
                for entry in entries:
                    self._learn(at, entry)
                yield

    def _learn(self, at: int, entry: DirectoryEntry) -> None:
        if isinstance(entry, Declaration):
            self._declared[at].append(entry)
            if entry.kind != "exemplar" and entry.name not in self._families:
                self._families[entry.name] = _Merged(entry)
                self._families[entry.name].show(self._known)
        else:
            declaration = self._declared[at][entry.family]
            family = self._families[declaration.name]
            if declaration.kind == "exemplar":
                location = SeriesLocation(at, entry.slot, range(declaration.width))
                family.exemplars.setdefault(entry.values, []).append(location)
                return
            family.add(entry.values, SeriesLocation(at, entry.slot, _elements(declaration, family.declaration)))


def _elements(source: Declaration, target: Declaration) -> Sequence[int]:
    """Return where the slots of a series belong.

    Those of a histogram with other buckets: into the first bucket that holds them all.
    """
    if source.buckets == target.buckets:
        return range(target.width)
    bounds = (*target.buckets, math.inf)
    fits = [next(at for at, bound in enumerate(bounds) if bound >= own) for own in (*source.buckets, math.inf)]
    return [*fits, len(bounds)]
