"""Reads YAML into plain data with positions.

Built from parser events with a stack of our own: nesting is bounded before it can exhaust the C stack, an alias has
a place of its own, and one pass does tags, duplicate keys and variables.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import yaml
from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

from gateway.settings.document.interpolate import interpolate
from gateway.settings.document.scalars import resolve
from gateway.settings.positions import BROKEN, Items, Loc, Position, SourceFile, Table

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser of libyaml where PyYAML has it; its own is the same, slower."""

MOST_DEPTH = 64
_UNCLOSED = "unexpected end of stream"
"""The parser's words for the end of the file within quotes."""
_SPARE_NODES = 10_000
_NO_TAGS = "tags are not supported; write the value without it, or put a value that begins with `!` into quotes"
"""Neither a tag nor the name of an alias is repeated, because it may be a password without quotes."""


Report: TypeAlias = Callable[[Position, Loc, str], None]
"""Reports a problem: its position, the path of the value, and the text."""


class _Frame:
    """A collection that is being read. `size` counts its values, aliases expanded."""

    __slots__ = ("anchor", "collection", "key", "key_position", "merges", "size")

    def __init__(self, collection: Table | Items, anchor: str | None) -> None:
        self.collection = collection
        self.anchor = anchor
        self.key: str | None = None
        self.key_position: Position = collection.position
        self.merges: list[tuple[Position, object]] = []
        self.size = 1


class ReadValue(NamedTuple):
    """A value that was read.

    `redacted`: it holds something from outside; `size`: the number of its values with aliases expanded.
    """

    value: Any
    redacted: bool = False
    size: int = 1


def read(
    source: SourceFile, text: str, environ: Mapping[str, str], report: Report, redactor: Callable[[str], None]
) -> Any:
    """Return the data of one YAML document; BROKEN if it is none.

    Every problem goes to `report`, every text with a value from outside to `redactor`.
    """
    return read_with(Reading(source, environ, report, redactor), source, text, report)


def read_with(reading: "Reading", source: SourceFile, text: str, report: Report) -> Any:
    """Return what `reading` makes of `text`; BROKEN if it is no YAML document."""
    try:
        return reading.run(text)
    except UnicodeEncodeError as error:
        before = text[: error.start]
        report(
            Position(source, before.count("\n") + 1, len(before) - before.rfind("\n")),
            (),
            "half of a surrogate pair is not a character",
        )
    except ReaderError as error:
        # libyaml counts bytes.
        before = text.encode()[: error.position].decode(errors="ignore")
        position = Position(source, before.count("\n") + 1, len(before) - before.rfind("\n"))
        report(position, (), "this character is not allowed in YAML; in double quotes, write `\\xNN` for it")
    except MarkedYAMLError as error:
        # A quote that is never closed is to be mended where it began.
        mark = error.context_mark if _UNCLOSED in str(error.problem) else error.problem_mark
        mark = mark or error.problem_mark or error.context_mark
        position = Position(source, mark.line + 1, mark.column + 1) if mark else Position(source, 1, 1)
        report(position, (), _explain(error, source, position))
    return BROKEN


def _explain(error: MarkedYAMLError, source: SourceFile, position: Position) -> str:
    problem = str(error.problem or error.context)
    line = source.lines[position.line - 1] if position.line <= len(source.lines) else ""
    if _UNCLOSED in problem:
        return "not YAML: this quote is never closed"
    if "cannot start any token" in problem:
        if line[position.column - 1 : position.column] == "\t":
            return "a tab cannot indent YAML; use spaces"
        return "a value cannot begin with this character; put it into quotes"
    if "mapping values are not allowed" in problem:
        return "not YAML: a `:` is not expected here; check the indentation, or put the value into quotes"
    if "${" in line and "flow" in str(error.context):
        return "not YAML: between brackets, a value with `${…}` stands in quotes"
    context = f" {error.context}" if error.context and error.context_mark else ""
    since = f" that began in line {error.context_mark.line + 1}" if context and error.context_mark else ""
    return f"not YAML: {problem}{context}{since}"


class Reading:
    """One pass over the events of a document."""

    MOST_DEPTH = MOST_DEPTH
    NULL: Any = ""
    """The value in a list that a variable made empty."""

    def __init__(
        self, source: SourceFile, environ: Mapping[str, str], report: Report, redactor: Callable[[str], None]
    ) -> None:
        self._source = source
        self._redactor = redactor
        self._environ = environ
        self._report = report
        self._frames: list[_Frame] = []
        self._anchors: dict[str, ReadValue] = {}
        self._open: set[str] = set()
        self._root: Any = None
        self._nodes = 0
        self._second: Position | None = None

    def run(self, text: str) -> Any:
        loader = Loader(text)
        try:
            while (event := loader.get_event()) is not None:
                if not self._take(event):
                    return BROKEN
        finally:
            loader.dispose()
        return self._root

    def _take(self, event: yaml.Event) -> bool:
        """Process an event. Returns False to end the reading when the document cannot be understood."""
        if self._second is not None and isinstance(event, yaml.NodeEvent):
            # A `---` at the end begins a document of nothing.
            if isinstance(event, yaml.ScalarEvent) and not event.value and event.implicit[0]:
                return True
            self._report(self._second, (), "a second document begins here; a configuration is one document")
            return False
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            return self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            return self._end()
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self._nodes:
            self._second = self._position(event)
        return True

    def _position(self, event: yaml.Event) -> Position:
        mark: Any = event.start_mark
        return Position(self._source, mark.line + 1, mark.column + 1)

    def _loc(self) -> Loc:
        steps = (len(frame.collection) if isinstance(frame.collection, Items) else frame.key for frame in self._frames)
        return tuple(step for step in steps if step is not None)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        position = self._position(event)
        frame = self._frames[-1] if self._frames else None
        if frame is not None and frame.key is None and isinstance(frame.collection, Table):
            self._key(frame, event.value, position)
            return
        read = self._resolved(event, position)
        if event.anchor:
            self._anchors[event.anchor] = read
        self._put(read, position)

    def _resolved(self, event: yaml.ScalarEvent, position: Position) -> ReadValue:
        text = event.value
        plain = event.implicit[0] and event.tag is None
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._report(position, self._loc(), _NO_TAGS)
            return ReadValue(BROKEN)
        redacted = "$" in text
        if redacted:
            try:
                text = interpolate(text, self._environ, self._source.directory)
            except ValueError as error:
                self._report(position, self._loc(), str(error))
                return ReadValue(BROKEN)
            self._redactor(text)
        if not plain:
            return ReadValue(text, redacted)
        value = resolve(text)
        if value is None and not redacted and self._frames:
            self._report(position, self._loc(), "there is no value here; write one, or leave the key out")
            return ReadValue(BROKEN)
        return ReadValue(value, redacted)

    def _begin(self, event: yaml.CollectionStartEvent) -> bool:
        position = self._position(event)
        if len(self._frames) == self.MOST_DEPTH:
            self._report(position, (), f"nested more than {self.MOST_DEPTH} levels deep")
            return False
        if self._frames and self._frames[-1].key is None and isinstance(self._frames[-1].collection, Table):
            self._report(position, self._loc(), "a key is a single word, not a list or a mapping")
            return False
        if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._report(position, self._loc(), _NO_TAGS)
        if event.anchor:
            self._open.add(event.anchor)
        collection = Table(position) if isinstance(event, yaml.MappingStartEvent) else Items(position)
        self._frames.append(_Frame(collection, event.anchor))
        return True

    def _end(self) -> bool:
        frame = self._frames.pop()
        if frame.merges and isinstance(frame.collection, Table):
            self._merge(frame.collection, frame.merges)
        read = ReadValue(frame.collection, size=frame.size)
        if frame.anchor:
            self._open.discard(frame.anchor)
            self._anchors[frame.anchor] = read
        # Bounds what aliases repeat by what was written, against "billion laughs" documents.
        if frame.size > _SPARE_NODES + 10 * self._nodes:
            self._report(frame.collection.position, self._loc(), "aliases make this too large")
            return False
        self._put(read, frame.collection.position)
        return True

    def _alias(self, event: yaml.AliasEvent) -> bool:
        position = self._position(event)
        if event.anchor in self._open:
            self._report(position, self._loc(), "this alias stands inside what it refers to")
            return False
        if event.anchor not in self._anchors:
            self._report(
                position,
                self._loc(),
                "there is no anchor of this name before it; a value that begins with `*` stands in quotes",
            )
            return False
        self._put(self._anchors[event.anchor], position)
        return True

    def _key(self, frame: _Frame, key: str, position: Position) -> None:
        frame.key, frame.key_position = key, position
        known = frame.collection.positions if isinstance(frame.collection, Table) else {}
        if key in known:
            first = known[key][0]
            self._report(position, self._loc(), f"written twice; the first stands in line {first.line}")

    def _put(self, read: ReadValue, position: Position) -> None:
        self._nodes += 1
        if not self._frames:
            self._root = read.value
            return
        frame = self._frames[-1]
        frame.size += read.size
        collection = frame.collection
        if isinstance(collection, Items):
            if read.redacted:
                collection.redacted.add(len(collection))
            collection.positions.append(position)
            collection.append(self.NULL if read.value is None else read.value)
            return
        key, frame.key = frame.key, None
        if key is None:
            frame.key, frame.key_position = str(read.value), position
        elif key == "<<":
            frame.merges.append((position, read.value))
        elif key not in collection:
            if self._is_kept(read):
                collection[key] = read.value
                if read.redacted:
                    collection.redacted.add(key)
            collection.positions[key] = (frame.key_position, position)

    def _is_kept(self, read: ReadValue) -> bool:
        """Return whether a value counts. A plain scalar that a variable made empty counts as left out."""
        return read.value is not None

    def _merge(self, table: Table, merges: list[tuple[Position, object]]) -> None:
        for position, merged in merges:
            for other in merged if isinstance(merged, Items) else [merged]:
                if not isinstance(other, Table):
                    self._report(position, self._loc(), "`<<` takes a mapping or a list of mappings")
                    return
                for key in other:
                    if key not in table:
                        table[key] = other[key]
                        table.positions[key] = other.positions[key]
                        if key in other.redacted:
                            table.redacted.add(key)
