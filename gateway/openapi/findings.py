"""What is wrong with a value, in words that a person can act on.

Texts repeat nothing of what the client has sent but names of fields, because it may be a secret.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

FieldWay: TypeAlias = Sequence[str | int]

MOST_NAMED = 10
_LONGEST = 200


class Finding(NamedTuple):
    """One fault of a value. `way` leads to it from the top; `keyword` is that of JSON Schema which refuses it."""

    way: tuple[str | int, ...]
    keyword: str
    text: str

    @property
    def missing(self) -> bool:
        """Whether nothing is wrong but that the field is not there."""
        return self.keyword == "required"


def findings_of(error: Any) -> Iterator[Finding]:
    """Yield what is wrong by an error of jsonschema_rs."""
    way, kind = tuple(error.instance_path), error.kind
    keyword = kind.name
    if keyword == "required":
        yield Finding((*way, kind.property), keyword, "This is missing.")
    elif keyword in {"additionalProperties", "unevaluatedProperties"}:
        for name in kind.unexpected:
            yield Finding((*way, name), keyword, "There is no field of this name.")
    elif keyword == "propertyNames":
        name = kind.error.instance
        named = (*way, name) if isinstance(name, str) else way
        yield Finding(named, keyword, f"This name is not allowed: {_sentence(kind.error)}")
    elif keyword == "falseSchema" and error.schema_path and error.schema_path[-1] == "additionalProperties":
        yield Finding(way, keyword, "This may have no fields.")
    elif keyword in {"anyOf", "oneOf"}:
        yield from _of_choice(way, keyword, kind)
    else:
        yield Finding(way, keyword, _sentence(error))


def spelled(way: FieldWay) -> str:
    """Return a way as text: `body.tags[2].name`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way).removeprefix(".")[:_LONGEST]


def pointer(way: FieldWay) -> str:
    """Return a way as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in way)[:_LONGEST]


def _of_choice(way: tuple[str | int, ...], keyword: str, kind: Any) -> Iterator[Finding]:
    """Yield the faults by the one choice that was probably meant, or that none fits."""
    if type(kind).__name__ == "OneOfMultipleValid":
        yield Finding(way, keyword, "More than one of the forms that are possible here fits, and only one may.")
        return
    meant = [errors for errors in kind.context if not any(_decides(error, len(way)) for error in errors)]
    if len(meant) == 1:
        for error in meant[0]:
            yield from findings_of(error)
    else:
        of_the_type = [errors for errors in kind.context if not any(_is_of_another_type(each, way) for each in errors)]
        text = f"None of the {len(kind.context)} forms that are possible here fits."
        yield from list(_common(of_the_type or kind.context)) or [Finding(way, keyword, text)]


def _is_of_another_type(error: Any, way: tuple[str | int, ...]) -> bool:
    return error.kind.name == "type" and tuple(error.instance_path) == way


def _common(choices: list[list[Any]]) -> Iterator[Finding]:
    """Yield what every choice asks for: a missing member, a type, or one of the fixed values of a member."""
    first, *others = ([each for each in errors if each.kind.name in _COMMON] for errors in choices)
    for error in first:
        way, keyword = tuple(error.instance_path), error.kind.name
        alike = [error]
        for errors in others:
            alike += [each for each in errors if tuple(each.instance_path) == way and _alike(each.kind, error.kind)][:1]
        if len(alike) < len(choices):
            continue
        if keyword == "required":
            yield from findings_of(error)
        elif keyword == "type":
            yield Finding(way, keyword, _types(*(each.kind for each in alike)))
        else:
            options = [option for each in alike for option in _options(each.kind)]
            yield Finding(way, "enum", _one_of(options))


def _alike(kind: Any, other: Any) -> bool:
    if kind.name == "required":
        return bool(other.name == "required" and kind.property == other.property)
    return kind.name == other.name or {kind.name, other.name} == {"const", "enum"}


def _options(kind: Any) -> list[Any]:
    return [kind.expected_value] if kind.name == "const" else list(kind.options)


def _decides(error: Any, depth: int) -> bool:
    """Return whether an error says that another choice was meant: by the type, or by a member with a fixed value."""
    level = len(error.instance_path) - depth
    return (error.kind.name == "type" and level == 0) or (error.kind.name in {"const", "enum"} and level <= 1)


def _sentence(error: Any) -> str:
    words = _SENTENCES.get(error.kind.name)
    return words(error.kind) if words is not None else f"This does not fit `{error.kind.name}` of its schema."


def _limit(text: str) -> Callable[[Any], str]:
    return lambda kind: text.format(kind.limit, "" if kind.limit == 1 else "s")


def _types(*kinds: Any) -> str:
    names = dict.fromkeys(ARTICLES.get(name, name) for kind in kinds for name in kind.types)
    return f"This must be {_or(list(names))}."


def _format(kind: Any) -> str:
    return f"This must be {_FORMATS.get(kind.format, f'of the format `{kind.format}`')}."


def _shown(option: Any) -> str:
    """Return a value of a schema as it is written in JSON, but a text without its quotes."""
    return option if isinstance(option, str) else json.dumps(option, ensure_ascii=False, default=str)


def _one_of(options: list[Any]) -> str:
    shown = [_shown(option) for option in options[:MOST_NAMED]]
    if len(options) > MOST_NAMED:
        return f"This must be one of {', '.join(shown)} and {len(options) - MOST_NAMED} more."[:_LONGEST]
    return f"This must be {_or(shown)}."[:_LONGEST]


def _or(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


ARTICLES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}
_FORMATS = {
    "date": "a date such as 2026-01-31",
    "date-time": "a date and time such as 2026-01-31T12:00:00Z",
    "duration": "a duration such as PT1H30M",
    "email": "an e-mail address",
    "hostname": "a host name",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "json-pointer": "a JSON pointer",
    "regex": "a regular expression",
    "time": "a time such as 12:00:00Z",
    "uri": "an absolute URI",
    "uri-reference": "a URI reference",
    "uuid": "a UUID",
}
_COMMON = frozenset({"const", "enum", "required", "type"})
_SENTENCES: dict[str, Callable[[Any], str]] = {
    "type": _types,
    "format": _format,
    "enum": lambda kind: _one_of(kind.options),
    "const": lambda kind: f"This must be {_shown(kind.expected_value)}."[:_LONGEST],
    "pattern": lambda kind: f"This must match the regular expression {kind.pattern}"[:_LONGEST],
    "minimum": _limit("This must be {0} or more."),
    "maximum": _limit("This must be {0} or less."),
    "exclusiveMinimum": _limit("This must be more than {0}."),
    "exclusiveMaximum": _limit("This must be less than {0}."),
    "multipleOf": lambda kind: f"This must be a multiple of {kind.multiple_of}.",
    "minLength": _limit("This must have {0} character{1} or more."),
    "maxLength": _limit("This must have {0} character{1} or fewer."),
    "minItems": _limit("This must have {0} item{1} or more."),
    "maxItems": _limit("This must have {0} item{1} or fewer."),
    "minProperties": _limit("This must have {0} field{1} or more."),
    "maxProperties": _limit("This must have {0} field{1} or fewer."),
    "uniqueItems": lambda _: "This has the same item twice.",
    "contains": lambda _: "This has too few or too many items of the kind that is asked for.",
    "not": lambda _: "What stands here is not allowed.",
    "falseSchema": lambda _: "Nothing may stand here.",
    "unevaluatedItems": lambda _: "This has more items than are possible here.",
}
"""By the keyword of JSON Schema."""
