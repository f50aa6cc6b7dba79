"""Many keys in little memory: those that differ from others in id and digest only share all the rest."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from typing import Any, ClassVar, NamedTuple, overload

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.types import Many

_DIGEST_BYTES = 32


class Rows:
    """Ids and digests, about 50 bytes a key, in the order of the digests. `numbers` holds the model of each row.

    Made from columns of the same length; `digests` are 64 hexadecimal digits each.
    """

    __slots__ = ("_begins", "_digests", "_names", "numbers")

    def __init__(self, digests: Sequence[str], ids: Sequence[str], numbers: Sequence[int]) -> None:
        order = sorted(range(len(digests)), key=digests.__getitem__)
        self._digests = bytes.fromhex("".join([digests[index] for index in order]))
        self._names = "\n".join(["", *[ids[index] for index in order], ""])
        self._begins = array("I", accumulate([1, *[len(ids[index]) + 1 for index in order]]))
        self.numbers = array("I", [numbers[index] for index in order])

    def __len__(self) -> int:
        return len(self.numbers)

    def digest(self, index: int) -> bytes:
        return self._digests[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES]

    def id(self, index: int) -> str:
        return self._names[self._begins[index] : self._begins[index + 1] - 1]

    def find(self, digest: bytes) -> int | None:
        """Return the index of the row with this digest."""
        at = bisect_left(range(len(self)), digest, key=self.digest)
        return at if at < len(self) and self.digest(at) == digest else None

    def named(self, key_id: str) -> int | None:
        """Return the index of the row with this id."""
        at = self._names.find(f"\n{key_id}\n")
        return None if at < 0 or "\n" in key_id else bisect_left(self._begins, at + 1)

    def fingerprint(self) -> str:
        digest = sha256(self._digests)
        for part in (self._names.encode(), self._begins.tobytes(), self.numbers.tobytes()):
            digest.update(part)
        return digest.hexdigest()[:16]


class Likeness(NamedTuple):
    """Keys that differ from one of `models` in id and digest only. The number of a row selects the model."""

    models: Sequence[KeySettings]
    rows: Rows

    def made(self, index: int) -> KeySettings:
        rows = self.rows
        return self.models[rows.numbers[index]].model_copy(
            update={"id": rows.id(index), "secret_sha256": rows.digest(index).hex()}
        )


class KeyList(Sequence[KeySettings]):
    """The keys of a configuration: `plain` ones, then those that are like one of them, made on demand.

    The order of keys means nothing.
    """

    SECTION: ClassVar[type[KeySettings]] = KeySettings
    """The type of an entry, for code that inspects the annotation."""

    __slots__ = ("_alike", "plain")

    def __init__(self, plain: Iterable[KeySettings] = (), alike: Iterable[Likeness] = ()) -> None:
        self.plain = tuple(plain)
        self._alike = tuple(alike)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, handler.generate_schema(Many[KeySettings]))

    def __len__(self) -> int:
        return len(self.plain) + sum(len(rows) for _, rows in self._alike)

    def __iter__(self) -> Iterator[KeySettings]:
        yield from self.plain
        for likeness in self._alike:
            yield from map(likeness.made, range(len(likeness.rows)))

    @overload
    def __getitem__(self, index: int) -> KeySettings: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[KeySettings]: ...
    def __getitem__(self, index: int | slice) -> KeySettings | Sequence[KeySettings]:
        at = range(len(self))[index]
        if isinstance(at, range):
            return [self[each] for each in at]
        if at < len(self.plain):
            return self.plain[at]
        at -= len(self.plain)
        for likeness in self._alike:
            if at < len(likeness.rows):
                return likeness.made(at)
            at -= len(likeness.rows)
        raise AssertionError("an index in range has a key")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, KeyList)
            and len(self) == len(other)
            and all(one == two for one, two in zip(self, other, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Short, and another one for other keys."""
        digest = repr(
            (self.plain, [([model.id for model in models], rows.fingerprint()) for models, rows in self._alike])
        )
        return f"<KeyList {len(self)} keys, {sha256(digest.encode()).hexdigest()[:16]}>"

    def find(self, digest: bytes) -> KeySettings | None:
        """Return the key that has the secret with this digest (SHA-256), unless it is one of the plain ones."""
        for likeness in self._alike:
            at = likeness.rows.find(digest)
            if at is not None:
                return likeness.made(at)
        return None

    def named(self, key_id: str) -> KeySettings | None:
        """Return the key with this id."""
        for likeness in self._alike:
            at = likeness.rows.named(key_id)
            if at is not None:
                return likeness.made(at)
        return next((key for key in self.plain if key.id == key_id), None)
