"""Finds the field of a request that an error is about, in all notations: names, paths, pointers, lists of steps."""

import re

from gateway.kernel.errors import words
from gateway.kernel.errors.sanitize import clean

LONGEST_FIELD = 200
"""The longest field that is shown, in characters."""

_LARGEST_INDEX = 1_000_000
_MOST_STEPS = 32
_NO_LABEL = re.compile(
    r"\d*+|about:blank|https?://.*+|error|err|fail(?:ed|ure)?|true|false|[^\\/]*+[\\/].*+|(?:\w{1,80}\.){2,20}\w{1,80}",
    re.IGNORECASE,
)
_INDEX = re.compile(r"\[[\"']?([\w-]{1,64})[\"']?\]")
_CLASS = re.compile(r"\w{1,100}(?:Error|Exception)")
_LISTED = ("fields", "keys", "params", "expression", "members", "membernames")
"""Names of lists that hold one field in each element."""

_SLASHED = ("target", "propertyref")
"""A path of a property in OData, with slashes between its steps."""

_Object = dict[str, object]


def add(path: str, step: str) -> str:
    """Return `path` and one step more."""
    step = "" if step in words.WHOLE else _undotted(step)
    return clean(f"{path}.{step}" if path and step else path or step, LONGEST_FIELD)


def path_of(value: _Object, named: _Object) -> str:
    """Return the field of one single error, "" when it names none. `named` are its members by their words."""
    parts = [{words.word(name): member for name, member in inner.items()} for inner in _around(value)]
    own = next((field for part in (*parts, named) if (field := field_of(part, words.FIELDS))), "")
    missing = named.get("params")
    lacking = missing.get("missingProperty") if isinstance(missing, dict) else None
    return add(own, lacking) if isinstance(lacking, str) else own


def field_of(named: _Object, names: tuple[str, ...]) -> str:
    """Return the first of `names` under which a field stands, "" for none."""
    return next((field for name in names if (field := _field(name, named.get(name)))), "")


def concerned(named: _Object) -> tuple[str, ...]:
    """Return the fields that the whole error is about: beside its text, in `validation` (hapi) or in `meta` (Twirp)."""
    field = field_of(named, words.SURE_FIELDS)
    if field:
        return (field,)
    validation, meta = named.get("validation"), named.get("meta")
    if (
        isinstance(validation, dict)
        and isinstance(validation.get("source"), str)
        and isinstance(keys := validation.get("keys"), list)
    ):
        return tuple(field for key in keys[:_MOST_STEPS] if isinstance(key, str) and (field := add("", key)))
    argument = meta.get("argument") if isinstance(meta, dict) else None
    return (add("", argument),) if isinstance(argument, str) and add("", argument) else ()


def several(named: _Object) -> tuple[str, ...]:
    """Return the fields, when one text is about more than one."""
    for name in _LISTED:
        listed = named.get(name)
        if isinstance(listed, list) and len(listed) > 1:
            return tuple(field for step in listed[:_MOST_STEPS] if isinstance(step, str) and (field := add("", step)))
    return ()


def plain(label: object) -> str:
    """Return `label`, if it says more than a number, a URL or a class name."""
    if isinstance(label, str) and "#" in label[:200]:  # Smithy: the name of a shape after its namespace
        label = label.rpartition("#")[2]
    text = clean(label)
    return "" if _NO_LABEL.fullmatch(text) else text


def _around(value: _Object) -> list[_Object]:
    inner = [value.get(name) for name in ("source", "extensions")]
    return [part for part in inner if isinstance(part, dict)]


def _field(name: str, part: object) -> str:
    if isinstance(part, list):
        steps = [step for step in map(_step, part[:_MOST_STEPS]) if step]
        if name in _LISTED:
            return add("", steps[0]) if len(steps) == 1 else ""
        if steps and steps[0] in words.REQUEST_PARTS:
            del steps[0]
        return clean(".".join(steps), LONGEST_FIELD)
    if (
        not isinstance(part, str)
        or (name == "location" and part in words.REQUEST_PARTS)
        or (name == "name" and _CLASS.fullmatch(part))
    ):
        return ""
    return add(
        "", part.replace("/", ".") if name in _SLASHED and " " not in part and not part.startswith("/") else part
    )


def _step(step: object) -> str:
    if isinstance(step, dict):  # Valibot
        step = step.get("key")
    if isinstance(step, int):
        return str(step) if 0 <= step < _LARGEST_INDEX else ""
    return step if isinstance(step, str) else ""


def _undotted(path: str) -> str:
    """Return a JSON pointer, a JSON path or a path with brackets with dots, like all others."""
    path = path[: 4 * LONGEST_FIELD]
    if path.startswith(("#", "/")):
        path = path.removeprefix("#").removeprefix("/").replace("/", ".").replace("~1", "/").replace("~0", "~")
        path = path.removeprefix("data.").removeprefix("attributes.").removeprefix("relationships.")
    return _INDEX.sub(r".\1", path).removeprefix("$.").removeprefix(".")
