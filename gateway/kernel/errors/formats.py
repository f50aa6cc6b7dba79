"""The forms in which backends write errors, read for what a client can use.

RFC 9457 problem+json · FastAPI and pydantic · Spring, Express, NestJS, hapi · Google, AWS and Azure · OAuth · JSON:API
· GraphQL · Rails, Laravel, Django REST, marshmallow, ASP.NET · Zod, Joi, class-validator · OData, FHIR, Hydra, Apigee ·
and their relatives. They share few names, so one reader knows them all (`gateway.kernel.errors.words`): what is a text,
what holds single errors, what is a link; anything else beside them may be a map of fields. Each leaf text becomes one
entry, with the path to it as its field.

Laws: taken are texts, fields and links; never a stack trace, a class name or a rejected value. One part that cannot be
read hides no other. `_DEEPEST`, `MOST_ENTRIES` and `_MOST_NODES` bound the work, which is linear in the size of the
error.
"""

from enum import IntEnum
from typing import NamedTuple

import msgspec

from gateway.kernel.errors import words
from gateway.kernel.errors.fields import add, concerned, path_of, several
from gateway.kernel.errors.links import links_in
from gateway.kernel.errors.objects import (
    Head,
    Object,
    first_text,
    is_datum,
    is_form,
    is_report,
    is_texts,
    is_unknown,
    may_be_field,
    members,
    named_by_words,
    own_head,
    unwrapped,
)  # fmt: skip
from gateway.kernel.errors.sanitize import clean
from gateway.kernel.errors.words import word
from gateway.kernel.faults import Detail, Link

MOST_ENTRIES = 100
"""Single faults that are read of one error."""

_DEEPEST = 24
"""The depth to which errors within errors, and texts that are JSON, are followed."""

_MOST_NODES = 4000


class ErrorEntry(NamedTuple):
    """A single fault. `missing` is true if it is the absence of a field."""

    text: str
    field: str | None
    missing: bool


class ErrorContents(msgspec.Struct):
    """The contents of an error. All texts are safe to show; "" where there is none.

    `title` names the kind of error, `text` is the one sentence about it, `explanation` the most that it says in one
    line.
    """

    title: str = ""
    text: str = ""
    explanation: str = ""
    entries: list[ErrorEntry] = []
    links: list[Link] = []

    @property
    def details(self) -> list[Detail]:
        """The single faults, for the envelope."""
        return [Detail(entry.text, entry.field) for entry in self.entries]


class _Trust(IntEnum):
    """Which texts at the end of an unknown path explain an error. Others may be any value."""

    SENTENCES = 0
    """Texts of several words in a list, as they stand beside the text of an error."""
    LISTS = 1
    """All texts in lists, and single texts of several words, in an object with unknown names only."""
    ALL = 2
    """All texts, in an object under a name that holds a text for each field."""


def found_in(value: object) -> ErrorContents:
    """Return the contents of an error, given as decoded JSON or as a text."""
    reader = _Reader()
    head = reader.head(value, 0)
    text = head.text or ("" if reader.entries else head.label)
    placed = {entry.text for entry in reader.entries if entry.field}
    entries = [entry for entry in reader.entries if entry.field or entry.text not in placed]
    return ErrorContents(
        head.title if head.title != text else "", text, head.explanation or text, entries, reader.links
    )


class _Reader:
    """Reads one error."""

    def __init__(self) -> None:
        self.entries: dict[ErrorEntry, None] = {}
        self.links: list[Link] = []
        self._nodes = 0

    def head(self, value: object, depth: int) -> Head:
        """Return the texts about `value` as a whole, and add its single errors to `entries`."""
        if isinstance(value, str):
            value = unwrapped(value)
        if isinstance(value, str):
            text = clean(value)
            return Head("", text, text)
        if self._is_too_much(depth):
            return Head()
        if isinstance(value, dict):
            return self._object(value, depth)
        self._leaves(value, "", _Trust.ALL, depth)
        return Head()

    def _object(self, value: Object, depth: int) -> Head:
        if is_form(value):
            self._fields(value, "", _Trust.ALL, depth)
            return Head()
        named = named_by_words(value)
        self.links += links_in(named)[: MOST_ENTRIES - len(self.links)]
        head = own_head(named)
        fields = [(name, member) for name, member in members(value) if may_be_field(word(name), member)]
        if not (head.text or head.label) and any(isinstance(member, list) for _, member in fields):
            # A map of fields, of which one may be called `message`; other names for lists keep their meaning
            fields += [
                (name, named.pop(word(name)))
                for name in value
                if word(name) in words.MAPPED and is_texts(named.get(word(name)))
            ]
        before = len(self.entries)
        for name, member in named.items():
            if isinstance(member, dict | list) and member:
                head = self._part(name, member, named, head, depth + 1)
        reported = (
            head.text or head.label or len(self.entries) > before or any(is_datum(*member) for member in named.items())
        )
        trust = _Trust.SENTENCES if reported else _Trust.LISTS
        parts = trust is _Trust.LISTS and all(word(name) in words.REQUEST_PARTS for name, _ in fields)
        for name, member in fields:
            if trust is _Trust.LISTS or word(name) not in words.UNTOLD:
                self._leaves(member, "" if parts and isinstance(member, dict) else add("", name), trust, depth + 1)
        if head.text and len(self.entries) == before:
            for field in concerned(named):
                self._emit(head.text, field, named)
        return head

    def _part(self, name: str, member: "Object | list[object]", named: Object, head: Head, depth: int) -> Head:
        """Read one member of an error that is a list or an object. Returns what is known of the whole error then."""
        if isinstance(member, list):
            if name in words.LISTS or name in words.BY_FIELD:
                self._leaves(member, "", _Trust.ALL, depth)
            return head
        if concerned({name: member}):
            return head
        by_field = name in words.BY_FIELD or (name == "data" and named.get("status") == "fail")
        if by_field and is_form(member):
            self._fields(member, "", _Trust.ALL, depth)
        elif by_field and not is_report(member):
            parts = all(word(key) in words.REQUEST_PARTS and isinstance(value, dict) for key, value in member.items())
            for key, value in members(member):
                self._leaves(value, "" if parts else add("", key), _Trust.ALL, depth)
        elif by_field or name in words.LISTS:
            inner = self.head(member, depth)
            if inner.text and (name in words.ERRORS or not head.text):
                return inner
            if not head.text:
                return head._replace(label=inner.label or head.label)
        return head

    def _leaves(self, value: object, path: str, trust: _Trust, depth: int, *, listed: bool = False) -> None:
        """Yield the texts below `value` that `trust` accepts as the explanation of an error."""
        if isinstance(value, str):
            value = unwrapped(value)
        if self._is_too_much(depth):
            return
        if isinstance(value, str):
            text = clean(value)
            if text and (
                trust is _Trust.ALL
                or (" " in text and (listed or trust is _Trust.LISTS))
                or (listed and trust is _Trust.LISTS)
            ):
                self._emit(text, path or None, {})
        elif isinstance(value, list):
            for index, element in enumerate(value[:_MOST_NODES]):
                if isinstance(element, dict) and not self._single(element, path, depth, listed=True):
                    self._fields(element, add(path, str(index)), min(trust, _Trust.LISTS), depth + 1)
                elif not isinstance(element, dict):
                    self._leaves(element, path, trust, depth + 1, listed=True)
        elif isinstance(value, dict) and not self._single(value, path, depth, listed=False):
            self._fields(value, path, trust, depth + 1)

    def _fields(self, value: Object, path: str, trust: _Trust, depth: int) -> None:
        """Read a map of fields."""
        form = is_form(value)
        for name, member in members(value):
            known = word(name)
            if known not in words.INTERNAL and not (
                trust is not _Trust.ALL and isinstance(member, str) and known in words.NOT_FIELDS
            ):
                inside = (
                    name in words.WHOLE
                    or (form and not isinstance(member, str))
                    or (known in words.BY_FIELD and trust is _Trust.SENTENCES)
                )
                if form and isinstance(member, list) and known in words.BRANCHES:
                    for index, element in enumerate(member[:_MOST_NODES]):
                        self._leaves(element, add(path, str(index)), trust, depth + 1)
                else:
                    self._leaves(member, path if inside else add(path, name), trust, depth)

    def _single(self, value: Object, path: str, depth: int, *, listed: bool) -> bool:
        """Read `value` as a single error. Returns whether it is one."""
        named = named_by_words(value)
        if not named or (self._is_too_much(depth) or "stackentries" in named):
            return True
        text = first_text(named)
        if not (listed or (text and is_report(value))) and "constraints" not in named:
            return False
        own = path_of(value, named)
        nested = [
            (name, member)
            for name, member in named.items()
            if name in words.LISTS and isinstance(member, dict | list) and member
        ]
        constraints = named.get("constraints")
        if not text and not nested:
            text = next(
                (label for name in ("error", *(("code", "type") if own else ())) if (label := clean(named.get(name)))),
                "",
            )
        links = links_in(named)
        if not (text or isinstance(constraints, dict) or links) and (
            not nested or any(is_unknown(*member) for member in named.items())
        ):
            return False
        self.links += links[: MOST_ENTRIES - len(self.links)]
        field = add(path, own) if constraints is not None or "children" in named else own or path
        before = len(self.entries)
        for name, member in nested:
            wrapped = name in words.WRAPPERS
            about = bool(text) and name in ("detail", "details") and isinstance(member, dict)  # data, or an explanation
            trust = _Trust.SENTENCES if wrapped else _Trust.LISTS if about else _Trust.ALL
            self._leaves(member, "" if wrapped else field, trust, depth + 1)
        if isinstance(constraints, dict):  # class-validator
            self._fields({"": list(constraints.values())}, field, _Trust.ALL, depth + 1)
        if text and len(self.entries) == before:
            for name in several(named) or (field,):
                self._emit(text, name or None, named)
        return True

    def _emit(self, text: str, field: str | None, named: Object) -> None:
        if len(self.entries) < MOST_ENTRIES:
            kinds = {word(kind) for name in words.KINDS if isinstance(kind := named.get(name), str)}
            missing = not kinds.isdisjoint(words.MISSING_KINDS) or words.MISSING_TEXT.search(text) is not None
            self.entries[ErrorEntry(text, field, missing)] = None

    def _is_too_much(self, depth: int) -> bool:
        self._nodes += 1
        return depth > _DEEPEST or self._nodes > _MOST_NODES or len(self.entries) >= MOST_ENTRIES
