"""The forms in which backends write errors, read for what a client can use.

RFC 9457 problem+json · FastAPI and pydantic · Spring, Express, NestJS, hapi · Google, AWS and Azure · OAuth · JSON:API · GraphQL ·
Rails, Laravel, Django REST, marshmallow, ASP.NET · Zod, Joi, class-validator · OData, FHIR, Hydra, Apigee · and their relatives.
They share few names, so one reader knows them all (`gateway.kernel.errorwords`): what is a text, what holds single errors, what is
a link; anything else beside them may be a map of fields. Each leaf text becomes one entry, with the path to it as its field.

Laws: taken are texts, fields and links; never a stack trace, a class name or a rejected value. One part that cannot be read hides no
other. `_DEEPEST`, `MOST_ENTRIES` and `_MOST_NODES` bound the work, which is linear in the size of the error.
"""

from collections.abc import Iterator
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

import msgspec

from gateway.kernel import errorwords as words
from gateway.kernel.errorfields import add, field_of, path_of, plain, several
from gateway.kernel.errorlinks import links_in
from gateway.kernel.errorwords import word
from gateway.kernel.faults import Detail, Link
from gateway.kernel.jsontext import decode
from gateway.kernel.texts import clean

MOST_ENTRIES = 100
"""Single faults that are read of one error."""

_DEEPEST = 24
"""How far errors within errors are followed, and texts that are JSON themselves."""

_MOST_NODES = 4000
_MOST_MEMBERS = 500
_ANY = msgspec.json.Decoder(object)
_Object = dict[str, object]


class Entry(NamedTuple):
    """One single fault. `missing` says that it is the absence of a field."""

    text: str
    field: str | None
    missing: bool


class Found(msgspec.Struct):
    """What an error says. All texts are fit to be shown; "" where it says nothing.

    `title` names the kind of error, `text` is the one sentence about it, `explanation` the most that it says in one line.
    """

    title: str = ""
    text: str = ""
    explanation: str = ""
    entries: list[Entry] = []
    links: list[Link] = []

    @property
    def details(self) -> list[Detail]:
        """The single faults, for the envelope."""
        return [Detail(entry.text, entry.field) for entry in self.entries]


class _Trust(IntEnum):
    """Which texts at the end of an unknown path explain an error. The others may be any value."""

    SENTENCES = 0
    """Only those with several words, in a list: what stands beside the text of an error."""
    LISTS = 1
    """All in lists; alone only those with several words: an object that has nothing but unknown names."""
    ALL = 2
    """All: an object under a name that is known to hold a text for each field."""


class _Head(NamedTuple):
    """What one object says about the error as a whole."""

    title: str = ""
    text: str = ""
    explanation: str = ""
    label: str = ""


def found_in(value: object) -> Found:
    """What `value`, decoded JSON or a text, says of an error."""
    reader = _Reader()
    head = reader.head(value, 0)
    text = head.text or ("" if reader.entries else head.label)
    return Found(head.title if head.title != text else "", text, head.explanation or text, list(reader.entries), reader.links)


class _Reader:
    """Reads one error."""

    def __init__(self) -> None:
        self.entries: dict[Entry, None] = {}
        self.links: list[Link] = []
        self._nodes = 0

    def head(self, value: object, depth: int) -> _Head:
        """What `value` says as a whole; its single errors go to `entries`."""
        if isinstance(value, str):
            value = _unwrapped(value)
        if isinstance(value, str):
            text = clean(value)
            return _Head("", text, text)
        if self._is_too_much(depth):
            return _Head()
        if isinstance(value, dict):
            return self._object(value, depth)
        self._leaves(value, "", _Trust.ALL, depth)
        return _Head()

    def _object(self, value: _Object, depth: int) -> _Head:
        if _is_form(value):
            self._fields(value, "", _Trust.ALL, depth)
            return _Head()
        named = _named(value)
        self.links += links_in(named)[: MOST_ENTRIES - len(self.links)]
        head = _own_head(named)
        fields = [(name, member) for name, member in _members(value) if _may_be_field(word(name), member)]
        if not (head.text or head.label) and any(isinstance(member, list) for _, member in fields):
            # A map of fields, of which one may be called `message`; other names for lists keep their meaning
            fields += [(name, named.pop(word(name))) for name in value if word(name) in words.MAPPED and _is_texts(named.get(word(name)))]
        before = len(self.entries)
        for name, member in named.items():
            if isinstance(member, dict | list) and member:
                head = self._part(name, member, named, head, depth + 1)
        told = head.text or head.label or len(self.entries) > before or any(_is_datum(*member) for member in named.items())
        trust = _Trust.SENTENCES if told else _Trust.LISTS
        places = trust is _Trust.LISTS and all(word(name) in words.PLACES for name, _ in fields)
        for name, member in fields:
            if trust is _Trust.LISTS or word(name) not in words.UNTOLD:
                self._leaves(member, "" if places and isinstance(member, dict) else add("", name), trust, depth + 1)
        if head.text and len(self.entries) == before and (field := field_of(named, words.SURE_FIELDS)):
            self._emit(head.text, field, named)
        return head

    def _part(self, name: str, member: "_Object | list[object]", named: _Object, head: _Head, depth: int) -> _Head:
        """One member of an error that is a list or an object. Returns what is known of the whole now."""
        if isinstance(member, list):
            if name in words.LISTS or name in words.BY_FIELD:
                self._leaves(member, "", _Trust.ALL, depth)
            return head
        by_field = name in words.BY_FIELD or (name == "data" and named.get("status") == "fail")
        if by_field and _is_form(member):
            self._fields(member, "", _Trust.ALL, depth)
        elif by_field and not _is_report(member):
            places = all(word(key) in words.PLACES and isinstance(value, dict) for key, value in member.items())
            for key, value in _members(member):
                self._leaves(value, "" if places else add("", key), _Trust.ALL, depth)
        elif by_field or name in words.LISTS:
            inner = self.head(member, depth)
            if inner.text and (name in words.ERRORS or not head.text):
                return inner
            if not head.text:
                return head._replace(label=inner.label or head.label)
        return head

    def _leaves(self, value: object, path: str, trust: _Trust, depth: int, *, listed: bool = False) -> None:
        """Every text below `value` that `trust` takes for the explanation of an error."""
        if isinstance(value, str):
            value = _unwrapped(value)
        if self._is_too_much(depth):
            return
        if isinstance(value, str):
            text = clean(value)
            if text and (trust is _Trust.ALL or (" " in text and (listed or trust is _Trust.LISTS)) or (listed and trust is _Trust.LISTS)):
                self._emit(text, path or None, {})
        elif isinstance(value, list):
            for index, element in enumerate(value[:_MOST_NODES]):
                if isinstance(element, dict) and not self._single(element, path, depth, listed=True):
                    self._fields(element, add(path, str(index)), min(trust, _Trust.LISTS), depth + 1)
                elif not isinstance(element, dict):
                    self._leaves(element, path, trust, depth + 1, listed=True)
        elif isinstance(value, dict) and not self._single(value, path, depth, listed=False):
            self._fields(value, path, trust, depth + 1)

    def _fields(self, value: _Object, path: str, trust: _Trust, depth: int) -> None:
        """A map of fields."""
        form = _is_form(value)
        for name, member in _members(value):
            known = word(name)
            if known not in words.INTERNAL and not (trust is not _Trust.ALL and isinstance(member, str) and known in words.NOT_FIELDS):
                inside = (
                    name in words.WHOLE or (form and not isinstance(member, str)) or (known in words.BY_FIELD and trust is _Trust.SENTENCES)
                )
                self._leaves(member, path if inside else add(path, name), trust, depth)

    def _single(self, value: _Object, path: str, depth: int, *, listed: bool) -> bool:
        """Reads `value` as one single error, and says whether it is one."""
        named = _named(value)
        if not named or (self._is_too_much(depth) or "stackentries" in named):
            return True
        text = _first_text(named)
        if not (listed or (text and _is_report(value))) and "constraints" not in named:
            return False
        own = path_of(value, named)
        nested = [(name, member) for name, member in named.items() if name in words.LISTS and isinstance(member, dict | list) and member]
        constraints = named.get("constraints")
        if not text and own and not nested:
            text = next((clean(named.get(name)) for name in ("error", "code", "type") if clean(named.get(name))), "")
        links = links_in(named)
        if not (text or isinstance(constraints, dict) or links) and (not nested or any(_is_unknown(*member) for member in named.items())):
            return False
        self.links += links[: MOST_ENTRIES - len(self.links)]
        field = add(path, own) if constraints is not None or "children" in named else own or path
        before = len(self.entries)
        for name, member in nested:
            wrapped = name in words.WRAPPERS
            self._leaves(member, "" if wrapped else field, _Trust.SENTENCES if wrapped else _Trust.ALL, depth + 1)
        if isinstance(constraints, dict):  # class-validator
            self._fields({"": list(constraints.values())}, field, _Trust.ALL, depth + 1)
        if text and len(self.entries) == before:
            for name in several(named) or (field,):
                self._emit(text, name or None, named)
        return True

    def _emit(self, text: str, field: str | None, named: _Object) -> None:
        if len(self.entries) < MOST_ENTRIES:
            kinds = {word(kind) for name in words.KINDS if isinstance(kind := named.get(name), str)}
            missing = not kinds.isdisjoint(words.MISSING_KINDS) or words.MISSING_TEXT.search(text) is not None
            self.entries[Entry(text, field, missing)] = None

    def _is_too_much(self, depth: int) -> bool:
        self._nodes += 1
        return depth > _DEEPEST or self._nodes > _MOST_NODES or len(self.entries) >= MOST_ENTRIES


def _members(value: _Object) -> Iterator[tuple[str, object]]:
    return islice(value.items(), _MOST_MEMBERS)


def _named(value: _Object) -> _Object:
    """The members of `value` by their words; of those with the same word the first. Texts that are JSON are read."""
    named: _Object = {}
    for name, member in _members(value):
        key = word(name)
        if key not in words.INTERNAL or key == "stackentries":
            named.setdefault(key, _told(key, member) if key in words.TEXTS else member)
    return named


def _told(name: str, member: object) -> object:
    """A text that stands in an object for itself: `{"lang": "en", "value": "…"}` of OData, `{"text": "…"}` of FHIR."""
    if isinstance(member, str):
        return _unwrapped(member)
    if isinstance(member, dict):
        text = member.get("text") if name == "details" else member.get("value") if "lang" in member or len(member) == 1 else None
        return text if isinstance(text, str) else member
    return member


def _unwrapped(text: str) -> object:
    """What `text` holds when it is a JSON object or array; otherwise itself."""
    begins = text[:64].lstrip()[:1]
    if begins not in {"{", "["} or not begins:
        return text
    value = decode(_ANY, text.strip().encode("utf-8", "replace"))
    return value if isinstance(value, dict | list) else text


def _first_text(named: _Object) -> str:
    return next((text for name in words.TEXTS if (text := clean(named.get(name)))), "")


def _own_head(named: _Object) -> _Head:
    text, title = _first_text(named), clean(named.get("title"))
    label = next((label for name in words.LABELS if (label := plain(named.get(name))) and label != text), "")
    explanation = next((told for name in words.EXPLANATIONS if (told := clean(named.get(name)))), "")
    if not explanation:
        explanation = f"{label}: {text}" if label and text and not title else text
    return _Head(title if title != text else "", text or explanation, explanation, label)


def _is_texts(member: object) -> bool:
    return isinstance(member, list) and bool(member) and all(isinstance(element, str) for element in member)


def _may_be_field(name: str, member: object) -> bool:
    """Whether a member of an error may be a field of the request with what is wrong in it."""
    if name in words.INTERNAL or name in words.LISTS or name in words.BY_FIELD or name in words.NOT_FIELDS & {"statuscode"}:
        return False
    return name not in words.KNOWN or isinstance(member, dict | list)


def _is_unknown(name: str, member: object) -> bool:
    return name not in words.KNOWN and isinstance(member, dict | list) and bool(member)


def _is_datum(name: str, member: object) -> bool:
    """Whether a member shows that its object is a resource, and not an error."""
    return isinstance(member, int | float) and (name == "id" or name not in words.KNOWN)


def _is_form(value: _Object) -> bool:
    """Whether an object is a node in the tree of a form."""
    return all(word(name) in words.FORM for name in value) and any(word(name) != "errors" for name in value)


def _is_report(value: _Object) -> bool:
    """Whether an object is one error, and not a map of fields of which one has the name of a text."""
    named = {word(name): member for name, member in _members(value)}
    if not any(isinstance(named.get(name), str) for name in words.PLAIN_TEXTS):
        return False
    if all(name in words.KNOWN for name in named):
        return True
    signs = (*words.FIELDS, *words.KINDS, "value")
    return any(isinstance(sign := named.get(name), str | list | int) and not (isinstance(sign, str) and " " in sign) for name in signs)
