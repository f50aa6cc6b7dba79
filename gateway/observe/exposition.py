"""Regions read, added up and written out in the text format of Prometheus or as OpenMetrics.

prometheus-client negotiates the format and writes the metrics of the process. The gateway's own series are written
here, in the same form (a test compares the two): through prometheus-client's samples 10,000 of them take 78 ms, with
lines prepared when a series is first seen they take about 6, and a scrape of one process is time taken from requests.
"""

import math
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from gateway.observe.slots import ABSENT, Declaration, Entry, Region

_OPENMETRICS = "application/openmetrics-text"
_READ_BYTES = 4 << 10
"""Some 40 lines of a directory, a quarter of a millisecond's work."""
_PIECE_CHARACTERS = 32 << 10
"""Some 400 lines, a fifth of a millisecond's work."""

_ALWAYS_KNOWN = frozenset(("-", "other"))
"""What stands for no route, and for series beyond a family's cap."""

_MERGES: dict[str, Callable[[Iterable[float]], float]] = {"sum": sum, "min": min, "max": max}

# Else every counter of prometheus-client doubles (https://github.com/prometheus/client_python, "Disabling _created metrics").
disable_created_metrics()  # type: ignore[no-untyped-call]  # it takes and returns nothing


def _on_one_line(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _escaped(text: str) -> str:
    return _on_one_line(text).replace('"', r"\"")


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


class _Place:
    """Where a series lies in one region. `buckets` maps its buckets to the family's, when those differ."""

    __slots__ = ("buckets", "region", "slot", "width")

    def __init__(self, region: int, slot: int, width: int, buckets: list[int] | None) -> None:
        self.region = region
        self.slot = slot
        self.width = width
        self.buckets = buckets


class _Line:
    """One series: its label pairs before and after the place of `le`, and where its numbers are."""

    __slots__ = ("head", "places", "shown", "tail")

    def __init__(self, head: str, tail: str, shown: bool) -> None:
        self.head = head
        self.shown = shown
        self.tail = tail
        self.places: list[_Place] = []


class _Merged:
    """A family over all regions."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self._order = sorted(range(len(declaration.labels)), key=declaration.labels.__getitem__)
        """In which the label pairs are written."""
        self._histogram = declaration.kind == "histogram"
        self.bounds = [_number(float(bound)) for bound in (*declaration.buckets, math.inf)]
        self.lines: dict[tuple[str, ...], _Line] = {}
        self._merge = _MERGES[declaration.merge]
        self._known: list[tuple[int, Container[str]]] = []

    def show(self, known: Mapping[str, Container[str]]) -> None:
        """Only series whose labels have these values, where `known` says which a label may have."""
        self._known = [(at, known[name]) for at, name in enumerate(self.declaration.labels) if name in known]
        for values, line in self.lines.items():
            line.shown = self._shows(values)

    def _shows(self, values: tuple[str, ...]) -> bool:
        return all(values[at] in known or values[at] in _ALWAYS_KNOWN for at, known in self._known)

    def add(self, place: _Place, values: tuple[str, ...]) -> None:
        line = self.lines.get(values)
        if line is None:
            names, shown = self.declaration.labels, self._shows(values)
            pairs = [f'{names[at]}="{_escaped(values[at])}"' for at in self._order]
            if self._histogram:
                before = sum(name < "le" for name in names)
                line = _Line("".join([f"{pair}," for pair in pairs[:before]]), "".join([f",{pair}" for pair in pairs[before:]]), shown)
            else:
                line = _Line(f"{{{','.join(pairs)}}}" if pairs else "", "", shown)
            self.lines[values] = line
        line.places.append(place)

    def head(self, openmetrics: bool) -> str:
        d = self.declaration
        # OpenMetrics names the family, the older format the samples.
        name, kind = d.name, d.kind
        if openmetrics:
            name = name.removesuffix("_total").removesuffix("_info") if kind in ("counter", "info") else name
        elif kind == "info":
            kind = "gauge"
        return f"# HELP {name} {_escaped(d.help) if openmetrics else _on_one_line(d.help)}\n# TYPE {name} {kind}\n"

    def value(self, places: list[_Place], snapshots: Sequence[Sequence[float]]) -> float:
        """ABSENT if it is so everywhere."""
        if len(places) == 1:
            return snapshots[places[0].region][places[0].slot]
        found = [value for place in places if (value := snapshots[place.region][place.slot]) != ABSENT]
        return self._merge(found) if found else ABSENT

    def buckets(self, places: list[_Place], snapshots: Sequence[Sequence[float]]) -> list[float]:
        """Each bucket's own count, then the sum."""
        if len(places) == 1 and places[0].buckets is None:
            place = places[0]
            return list(snapshots[place.region][place.slot : place.slot + place.width])
        total = [0.0] * self.declaration.width
        for place in places:
            for at, count in enumerate(snapshots[place.region][place.slot : place.slot + place.width]):
                total[at if place.buckets is None else place.buckets[at]] += count
        return total

    def write(self, snapshots: Sequence[Sequence[float]]) -> Iterator[str]:
        name = self.declaration.name
        lines = [line for line in self.lines.values() if line.shown]
        if self._histogram:
            for line in lines:
                *counts, total = self.buckets(line.places, snapshots)
                before, after = f'{name}_bucket{{{line.head}le="', f'"{line.tail}}} '
                cumulative = list(accumulate(counts))
                labels = f"{{{(line.head + line.tail[1:]).rstrip(',')}}}" if line.head or line.tail else ""
                yield "".join([f"{before}{bound}{after}{count!r}\n" for bound, count in zip(self.bounds, cumulative, strict=True)])
                yield f"{name}_count{labels} {cumulative[-1]!r}\n{name}_sum{labels} {_number(total)}\n"
        elif self.declaration.kind == "info":
            for line in lines:
                # An info that no longer holds was set to 0.
                if self.value(line.places, snapshots) > 0:
                    yield f"{name}{line.head} 1.0\n"
        else:
            for line in lines:
                if (value := self.value(line.places, snapshots)) != ABSENT:
                    yield f"{name}{line.head} {_number(value)}\n"


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
        """From now on leave out series that have another value in one of these labels. They are still counted."""
        self._known = known
        for family in self._families.values():
            family.show(known)

    def pieces(self, accept: str) -> tuple[Generator[bytes, None, None], str]:
        """The body, some hundred lines at a time, and its content type for a request with this Accept field.

        Finish one before you begin another.
        """
        openmetrics = _OPENMETRICS in accept
        # Neither a client's version nor its escaping is taken over: every name here is legal in all of them.
        encode, content_type = choose_encoder(f"{_OPENMETRICS}; version=1.0.0" if openmetrics else "")
        return self._pieces(openmetrics, encode), content_type

    def _pieces(self, openmetrics: bool, encode: Callable[[CollectorRegistry], bytes]) -> Generator[bytes, None, None]:
        count = len(self._regions)
        for _ in self._catch_up(count):
            yield b""
        snapshots = [region.snapshot() for region in self._regions[:count]]
        for family in list(self._families.values()):
            if not family.lines:
                continue
            piece = [family.head(openmetrics)]
            size = 0
            for text in family.write(snapshots):
                piece.append(text)
                size += len(text)
                if size > _PIECE_CHARACTERS:
                    yield "".join(piece).encode()
                    piece.clear()
                    size = 0
            yield "".join(piece).encode()
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

    def _learn(self, at: int, entry: Entry) -> None:
        if isinstance(entry, Declaration):
            self._declared[at].append(entry)
            if entry.name not in self._families:
                self._families[entry.name] = _Merged(entry)
                self._families[entry.name].show(self._known)
        else:
            declaration = self._declared[at][entry.family]
            family = self._families[declaration.name]
            mapping = _mapping(declaration, family.declaration)
            family.add(_Place(at, entry.slot, declaration.width, mapping), entry.values)


def _mapping(source: Declaration, target: Declaration) -> list[int] | None:
    """Where the slots of a histogram with other buckets belong: into the first bucket that holds them all."""
    if source.buckets == target.buckets:
        return None
    bounds = (*target.buckets, math.inf)
    fits = [next(at for at, bound in enumerate(bounds) if bound >= own) for own in (*source.buckets, math.inf)]
    return [*fits, len(bounds)]
