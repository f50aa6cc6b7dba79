"""Classifies an object in an error of a backend, and extracts its texts."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, TypeAlias

import msgspec

from gateway.kernel.envelope.raw_json import decode
from gateway.kernel.errors import words
from gateway.kernel.errors.fields import plain
from gateway.kernel.errors.sanitize import clean
from gateway.kernel.errors.words import word

Object: TypeAlias = dict[str, object]

_MOST_MEMBERS = 500
_ANY = msgspec.json.Decoder(object)


class Head(NamedTuple):
    """The texts of one object about the error as a whole."""

    title: str = ""
    text: str = ""
    explanation: str = ""
    label: str = ""


def members(value: Object) -> Iterator[tuple[str, object]]:
    return islice(value.items(), _MOST_MEMBERS)


def named_by_words(value: Object) -> Object:
    """Return the members of `value` by their words; the first of equal words counts. Texts that are JSON are read."""
    named: Object = {}
    for name, member in members(value):
        key = word(name)
        if key not in words.INTERNAL or key == "stackentries":
            named.setdefault(key, text_member(key, member) if key in words.TEXTS else member)
        elif (
            key == "innererror" and isinstance(member, dict) and isinstance(listed := member.get("errordetails"), list)
        ):
            named.setdefault("errordetails", listed)  # OData 2 keeps its single errors there
    return named


def text_member(name: str, member: object) -> object:
    """Return a text in an object of its own: `{"lang": "en", "value": "…"}` (OData), `{"text": "…"}` (FHIR)."""
    if isinstance(member, str):
        return unwrapped(member)
    if isinstance(member, dict):
        text = (
            member.get("text")
            if name == "details"
            else member.get("value")
            if "lang" in member or len(member) == 1
            else None
        )
        return text if isinstance(text, str) else member
    return member


def unwrapped(text: str) -> object:
    """Return the object or array that `text` holds as JSON; otherwise `text`."""
    begins = text[:64].lstrip()[:1]
    if begins not in {"{", "["} or not begins:
        return text
    value = decode(_ANY, text.strip().encode("utf-8", "replace"))
    return value if isinstance(value, dict | list) else text


def first_text(named: Object) -> str:
    return next((text for name in words.TEXTS if (text := clean(named.get(name)))), "")


def own_head(named: Object) -> Head:
    text, title = first_text(named), clean(named.get("title"))
    label = next((label for name in words.LABELS if (label := plain(named.get(name))) and label != text), "")
    explanation = next((text_member for name in words.EXPLANATIONS if (text_member := clean(named.get(name)))), "")
    if not explanation:
        explanation = f"{label}: {text}" if label and text and not title else text
    return Head(title if title != text else "", text or explanation, explanation, label)


def is_texts(member: object) -> bool:
    return isinstance(member, list) and bool(member) and all(isinstance(element, str) for element in member)


def may_be_field(name: str, member: object) -> bool:
    """Return whether a member of an error may be a field of the request with what is wrong in it."""
    if (
        name in words.INTERNAL
        or name in words.LISTS
        or name in words.BY_FIELD
        or name in words.NOT_FIELDS & {"statuscode"}
    ):
        return False
    return name not in words.KNOWN or isinstance(member, dict | list)


def is_unknown(name: str, member: object) -> bool:
    return name not in words.KNOWN and isinstance(member, dict | list) and bool(member)


def is_datum(name: str, member: object) -> bool:
    """Return whether a member shows that its object is a resource, and not an error."""
    return isinstance(member, int | float) and (name == "id" or name not in words.KNOWN)


def is_form(value: Object) -> bool:
    """Return whether an object is a node in the tree of a form."""
    names = {word(name) for name in value}
    return names <= words.FORM and (names == {"children"} or (len(names) > 1 and "errors" in names))


def is_report(value: Object) -> bool:
    """Return whether an object is one error, and not a map of fields of which one has the name of a text."""
    named = {word(name): member for name, member in members(value)}
    if not any(isinstance(named.get(name), str) for name in words.PLAIN_TEXTS):
        return False
    if all(name in words.KNOWN for name in named):
        return True
    signs = (*words.FIELDS, *words.KINDS, "value")
    return any(
        isinstance(sign := named.get(name), str | list | int) and not (isinstance(sign, str) and " " in sign)
        for name in signs
    )
