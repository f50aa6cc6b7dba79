"""The forms in which backends write errors, read for what a client can use.

RFC 9457 problem+json · FastAPI and pydantic · Spring, Express, NestJS, hapi · Google and Azure · OAuth · JSON:API · GraphQL ·
Rails, Laravel, Django REST, ASP.NET · Symfony and Zalando (`violations`). They share few names, so one reader knows them all:
what is a text, what is a list of single faults, what is a link. Taken are texts, fields and links; never a stack trace, a
class name or a rejected value.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from gateway.kernel.faults import Detail, Link
from gateway.kernel.texts import clean

MOST_ENTRIES = 100
"""Single faults that are read of one error."""

_DEEPEST = 4
"""How far errors within errors are followed."""

_TEXTS = (
    "detail",
    "message",
    "msg",
    "error_description",
    "errorMessage",
    "error_message",
    "Message",
    "description",
    "defaultMessage",
    "reason",
    "text",
    "title",
)
_LABELS = ("error", "status", "code", "error_code", "errorCode", "type")
_LISTS = (
    "detail", "errors", "details", "message", "error", "invalid-params", "invalid_params", "invalidParams", "violations", "fieldErrors",
    "fieldViolations", "validationErrors", "validation_errors", "subErrors",
)  # fmt: skip
_BY_FIELD = frozenset({"errors", "validationErrors", "validation_errors", "fieldErrors"})
"""Lists that may also be objects, with a text or texts for each field. What else is an object may hold anything."""
_FIELDS = (
    "loc", "field", "fieldName", "property", "propertyPath", "param", "parameter", "path", "instancePath", "pointer", "header", "name",
    "target", "location",
)  # fmt: skip
_INTERNAL = frozenset({"stack", "stackTrace", "stacktrace", "stack_trace", "trace", "traceback", "exception"})
_LARGEST_INDEX = 1_000_000
_NO_FIELD = frozenset({"", "$", "base", "__all__", "_schema", "non_field_errors", "nonFieldErrors"})
_LINKS = ("type", "error_uri", "doc_url", "documentation_url", "help", "moreInfo", "more_info", "infoLink", "href")
_WHERE = frozenset({"body", "query", "path", "header", "cookie", "__root__"})
"""FastAPI begins a `loc` with the part of the request."""

_MISSING_KINDS = frozenset({"missing", "value_error.missing", "required", "notnull", "notblank", "notempty", "blank", "null"})
_MISSING_TEXT = re.compile(
    r"\bis (?:required|missing)\b|\bfield required\b|\brequired (?:field|propert|parameter)"
    r"|can'?t be blank|must not be (?:null|blank|empty)",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[^\s<>\"]{1,1000}")
_NO_LABEL = re.compile(r"\d*|about:blank|https?://.*|error|fail(?:ed|ure)?|true|false", re.IGNORECASE)


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


def found_in(value: object, depth: int = 0) -> Found:
    """What `value`, decoded JSON or a text, says of an error."""
    if isinstance(value, dict):
        return _in_object(value, depth)
    if isinstance(value, list):
        return Found(entries=_entries(value))
    text = clean(value)
    return Found(text=text, explanation=text)


def _in_object(value: dict[str, object], depth: int) -> Found:
    found = Found(links=_links(value))
    text = next((text for name in _TEXTS if (text := clean(value.get(name)))), "")
    title = clean(value.get("title"))
    label = next((label for name in _LABELS if (label := clean(value.get(name))) and not _NO_LABEL.fullmatch(label)), "")
    found.entries = _entries([value[name] for name in _LISTS if isinstance(value.get(name), list)])
    found.entries += [entry for name in _BY_FIELD if isinstance(fields := value.get(name), dict) for entry in _by_field(fields)]
    if not text and not found.entries and _INTERNAL.isdisjoint(value) and all(isinstance(texts, list) for texts in value.values()):
        found.entries = _by_field(value)  # Django REST writes nothing around it
    found.text = text or ("" if found.entries else label)
    found.title = title if title != found.text else ""
    found.explanation = f"{label}: {text}" if label and text and label != text and not title else found.text
    for name in ("error", "detail", "fault"):
        inner = value.get(name)
        if isinstance(inner, dict) and depth < _DEEPEST:
            _take(found, found_in(inner, depth + 1))
    return found


def _take(found: Found, inner: Found) -> None:
    """An error within an error is the one meant."""
    if inner.text:
        found.title, found.text, found.explanation = inner.title, inner.text, inner.explanation
    found.entries = list(dict.fromkeys([*inner.entries, *found.entries]))[:MOST_ENTRIES]
    found.links += inner.links


def _entries(value: object) -> list[Entry]:
    return list(islice(dict.fromkeys(_read(value, None, 0)), MOST_ENTRIES))


def _by_field(value: dict[str, object]) -> list[Entry]:
    """`{"name": "is required"}`, `{"name": ["is required", …]}`, `{"name": {"message": "is required"}}`."""
    return list(islice(dict.fromkeys(entry for name, texts in value.items() for entry in _read(texts, _plain(name), 0)), MOST_ENTRIES))


def _read(value: object, field: str | None, depth: int) -> Iterator[Entry]:
    if isinstance(value, list) and depth < _DEEPEST:
        for element in value[:MOST_ENTRIES]:
            yield from _read(element, field, depth + 1)
    elif isinstance(value, dict):
        inner = [value[name] for name in _LISTS if isinstance(value.get(name), list)]
        text = next((text for name in _TEXTS if (text := clean(value.get(name)))), "") or clean(value.get("error"))
        if inner and depth < _DEEPEST:
            yield from _read(inner, _field(value) or field, depth)
        elif text:
            kinds = {kind.lower() for name in ("type", "code", "keyword", "rule") if isinstance(kind := value.get(name), str)}
            yield Entry(text, _field(value) or field, not kinds.isdisjoint(_MISSING_KINDS) or _MISSING_TEXT.search(text) is not None)
    elif text := clean(value):
        yield Entry(text, field, _MISSING_TEXT.search(text) is not None)


def _field(value: dict[str, object]) -> str | None:
    """The field that one single fault is about."""
    source = value.get("source")
    places = [source, value] if isinstance(source, dict) else [value]
    return next((field for place in places for name in _FIELDS if (field := _plain(place.get(name)))), None)


def _plain(place: object) -> str | None:
    """A field's name or path, however it is written, with dots."""
    if isinstance(place, list):
        steps = [str(step) for step in place if isinstance(step, str) or (isinstance(step, int) and 0 <= step < _LARGEST_INDEX)]
        if steps and steps[0] in _WHERE:
            del steps[0]
        place = ".".join(steps)
    path = clean(place, 200)
    if path.startswith(("#", "/")):
        path = path.removeprefix("#").removeprefix("/").replace("/", ".")
        path = path.removeprefix("data.").removeprefix("attributes.").removeprefix("relationships.")
    return None if path in _NO_FIELD else path


def _links(value: dict[str, object]) -> list[Link]:
    found = [Link(url, _title(value) if name == "type" else _title({})) for name in _LINKS if (url := _url(value.get(name)))]
    links = value.get("links")
    if isinstance(links, dict):  # JSON:API
        links = [{"href": href, "title": name} if isinstance(href, str) else href for name, href in links.items()]
    listed = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    found += [Link(url, _title(link)) for link in listed if (url := _url(link.get("href")) or _url(link.get("url")))]
    return found[:MOST_ENTRIES]


def _title(link: dict[str, object]) -> str:
    return next((title for name in ("title", "description", "rel") if (title := clean(link.get(name)))), "More information")


def _url(value: object) -> str:
    return value if isinstance(value, str) and _URL.fullmatch(value) and value.isprintable() else ""
