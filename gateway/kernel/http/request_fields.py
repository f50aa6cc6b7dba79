"""The header fields of a request as they were received, and what follows from their names alone.

Programs send the same names in the same order again and again. A `FieldShape` is such a sequence of names, with all
that has to be found out about it only once: where each field is, and which fields go on.

Law: a shape holds names and no values, so that no key of a caller stays in memory with it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from gateway.kernel.memo import Memo

RawField = tuple[bytes, bytes]
_REMEMBERED = 1024
_CONDITIONS = frozenset({"if-match", "if-none-match", "range"})
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


class RequestHeaders:
    """The fields of one request. Names are compared without regard to case; values are text, decoded when asked for.

    Bytes that are not UTF-8 become lone surrogates, as everywhere in a request.
    """

    __slots__ = ("shape", "values")

    def __init__(self, shape: FieldShape, values: Sequence[bytes]) -> None:
        self.shape = shape
        self.values = values

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
