"""The header fields of a request as they were received, and what follows from their names alone.

Programs send the same names in the same order again and again. A `FieldShape` is such a sequence of names, with all
that has to be found out about it only once: where each field is, and which fields go on.

They also send the same bytes again. `HeadFacts` are what stages have found out about such a sequence of bytes, and a
`RequestLine` holds what they have found out about its own.

Law: shapes and facts hold no value of a field that may be a secret, and no request line that may contain one is
remembered, so that no key of a caller stays in memory with them.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import msgspec

from gateway.kernel.copies import replace
from gateway.kernel.memo import Memo

RawField = tuple[bytes, bytes]
_REMEMBERED = 1024
_CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "range"})
_MOST_FIELDS, _MOST_BYTES = 64, 1024
"""Fields, and bytes of their names, of the longest sequence that is remembered."""


class FieldShape(msgspec.Struct, eq=False, frozen=True):
    """A sequence of field names. `positions` are those of each name, by the name in lower case.

    `conditional`: one of them is a precondition, or asks for a range.
    """

    names: tuple[bytes, ...]
    positions: dict[str, tuple[int, ...]]
    conditional: bool

    @classmethod
    def of(cls, names: tuple[bytes, ...]) -> "FieldShape":
        """Return the shape of fields with these names, as received."""
        return _shapes.get(names) or _new_shape(names)

    def only(self, name: str) -> int:
        """Return the position of the only field with `name` (lower case), or -1 if there is none or several."""
        found = self.positions.get(name, ())
        return found[0] if len(found) == 1 else -1


_shapes: Memo[tuple[bytes, ...], FieldShape] = Memo(_REMEMBERED)


def _new_shape(names: tuple[bytes, ...]) -> FieldShape:
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        positions.setdefault(name.decode("latin-1").lower(), []).append(position)
    shape = FieldShape(
        names, {name: tuple(found) for name, found in positions.items()}, not _CONDITIONS.isdisjoint(positions)
    )
    return _shapes.keep(names, shape) if may_be_remembered(names) else shape


def may_be_remembered(names: tuple[bytes, ...]) -> bool:
    """Return whether what is known about these names may stay in memory: not when a client has sent very many."""
    return len(names) <= _MOST_FIELDS and sum(map(len, names)) <= _MOST_BYTES


class RequestLine(msgspec.Struct, gc=False):
    """The first line of a request. Its target is cut into `path` and `query` at the first question mark.

    One that is `remembered` is the same object whenever its bytes come again. It has no query, nothing in its path is
    encoded or may be a parameter, and no key of the client is in it. `route` is what `table` has for it, `target` its
    path at the service of that, b"" as long as it was not needed, and `call` what calls for it had in common. `alike`
    is the remembered one for the same method and path, where the line has a query.
    """

    method: str
    path: str
    query: str
    remembered: bool = False
    table: object = None
    route: Any = None
    target: bytes = b""
    call: Any = None
    alike: "RequestLine | None" = None


NO_KEY = (-2, -1)
"""Where the key is in lines without one: in the end of them, which is in no request line."""


class HeadForm(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What follows from field lines, apart from who sends them. Those of many callers have the same form.

    `host` is the value of Host. `keeps_open` is about the connection, and `length` about the body, in bytes. There is
    no `traceparent` among the lines. The others hold for the `credentials` and the `filter` that are named, which are
    compared by identity; None as long as nothing was found out. The only key is from `key_at` to `key_end` in the
    lines. The lines from `kept_at` to `kept_end` are forwarded, and those between the bounds `kept_apart`.
    """

    shape: FieldShape
    host: str
    keeps_open: bool
    length: int
    credentials: object = None
    key_at: int = NO_KEY[0]
    key_end: int = NO_KEY[1]
    filter: object = None
    kept_at: int = 0
    kept_end: int = 0
    kept_apart: tuple[tuple[int, int], ...] = ()

    def alike(self) -> "HeadForm":
        """Return the one that is remembered of those like it."""
        start = self.shape, self.host, self.keeps_open, self.length, id(self.credentials), id(self.filter)
        bounds = self.key_at, self.key_end, self.kept_at, self.kept_end, self.kept_apart
        return _forms.get((start, bounds)) or _forms.keep((start, bounds), self)


_forms: Memo[tuple[object, object], HeadForm] = Memo(_REMEMBERED)
"""By all that they hold, which they keep alive: so what is compared by identity is known by it."""


class HeadFacts(msgspec.Struct, eq=False, gc=False):
    """What follows from the bytes of all field lines alone. Stages note it, and read it when the same bytes come again.

    There is one for each caller, so all but who it is is in its `form`: with many callers, memory that is read for one
    of them alone is what a request waits for. `digest` is the SHA-256 of the only key, b"" if there is none,
    `organization` the one that it asks for; `caller` is the caller who sends the lines, None if that may change.
    """

    form: HeadForm
    digest: bytes = b""
    organization: str | None = None
    caller: Any = None

    def note(self, **found: Any) -> None:
        """Set attributes of its form, which is the same object as that of others with such a form."""
        self.form = replace(self.form, **found).alike()

    def key_in(self, lines: bytes) -> str:
        """Return the only key in the field lines. Without one it is a text that is in no request line."""
        form = self.form
        return lines[form.key_at : form.key_end].decode()


class RequestHeaders(msgspec.Struct, eq=False, gc=False):
    """The fields of one request. Names are compared without regard to case; values are text, decoded when asked for.

    Bytes that are not UTF-8 become lone surrogates, as everywhere in a request. `facts` are None, unless the fields
    were given as `lines`: `Name: value`, CR and LF for each, and an empty line.
    """

    shape: FieldShape
    _values: Sequence[bytes] | None
    lines: bytes = b""
    facts: HeadFacts | None = None

    def __repr__(self) -> str:
        """Leave out the values, which may contain keys."""
        return f"<RequestHeaders {len(self.shape.names)} fields>"

    @property
    def values(self) -> Sequence[bytes]:
        """The values of the fields, in their order."""
        values = self._values
        if values is None:
            values = self._values = [line.partition(b": ")[2] for line in self.lines.split(b"\r\n")[:-2]]
        return values

    def known_keys(self) -> list[str]:
        """Return the only key if it is known where it is in the lines."""
        facts = self.facts
        return [] if facts is None or not facts.digest else [facts.key_in(self.lines)]

    def line_bounds(self) -> list[tuple[int, int]]:
        """Return where each of the `lines` begins and ends, its CR and LF included."""
        ends = list(accumulate([len(line) + 2 for line in self.lines.split(b"\r\n")[:-2]]))
        return list(zip([0, *ends], ends, strict=False))

    @classmethod
    def of(cls, fields: Iterable[RawField]) -> "RequestHeaders":
        """Return these fields, given as name and value."""
        pairs = [*fields]
        return cls(FieldShape.of(tuple([name for name, _ in pairs])), [value for _, value in pairs])

    @classmethod
    def of_text(cls, fields: Iterable[tuple[str, str]]) -> "RequestHeaders":
        """Return these fields, given as text."""
        return cls.of([(name.encode("latin-1"), value.encode("utf-8", "surrogateescape")) for name, value in fields])

    @property
    def raw(self) -> tuple[RawField, ...]:
        """The fields as name and value, in their order."""
        return tuple(zip(self.shape.names, self.values, strict=True))

    def get(self, name: str) -> str | None:
        """Return the value of the first field with `name`, None if there is none."""
        found = self.shape.positions.get(name.lower())
        return None if found is None else self.values[found[0]].decode("utf-8", "surrogateescape")

    def getall(self, name: str, default: list[str]) -> list[str]:
        """Return the values of all fields with `name`, `default` if there is none."""
        found = self.shape.positions.get(name.lower())
        if found is None:
            return default
        return [self.values[position].decode("utf-8", "surrogateescape") for position in found]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self.shape.positions
