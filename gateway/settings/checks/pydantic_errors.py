"""Translates errors of pydantic into problems with a position in the file."""

import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.positions import Broken, Loc, Table, locate, position_of_key
from gateway.settings.problem_list import ProblemList
from gateway.settings.schema.access import KeyStoreSettings
from gateway.settings.schema.types import Section
from gateway.settings.schema.values import RefusedError, did_you_mean, nearest

_FEW = 12
_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_MISSING = {
    "version": "write `version: 1`",
    "limits": "write `limits: []` for no limit",
    "store": "write `store: redis`, or a list of keys with `- ` before each",
}
_FIXED = {
    "model_type": "a mapping is wanted here",
    "model_attributes_type": "a mapping is wanted here",
    "dict_type": "a mapping is wanted here",
    "int_type": "a whole number is wanted here",
    "int_from_float": "a whole number is wanted here",
    "string_too_short": "must not be empty",
}


def explain(error: ValidationError, root: Table, model: type[Section], problem_list: ProblemList) -> list[Loc]:
    """Report every error and return the paths of the invalid values."""
    found: list[Loc] = []
    errors = error.errors(include_url=False)
    meant = {(*entry["loc"][:-1], _near(entry["loc"], model)) for entry in errors if entry["type"] == "extra_forbidden"}
    for details in errors:
        loc: Loc = details["loc"]
        of_key = details["type"] == "extra_forbidden" or loc[-1:] == ("[key]",)
        if loc[-1:] == ("[key]",):
            loc = loc[:-1]
        found.append(loc)
        position, value, redacted = locate(root, loc)
        if (isinstance(value, Broken) and not of_key) or (details["type"] == "missing" and loc in meant):
            continue
        # Entries that do not fit are not counted by pydantic, but they are there.
        if details["type"] == "too_short" and value:
            continue
        if of_key:
            position = position_of_key(root, loc)
        text, hint = _words(details, loc, value, model)
        if redacted and details["type"] in {"int_type", "bool_type"}:
            text += "; a variable is one where it stands without quotes"
        problem_list.add(position, loc, text, hint, value if redacted else None, value)
    return found


def _words(details: ErrorDetails, loc: Loc, value: Any, model: type[Section]) -> tuple[str, str]:
    """Text and hint."""
    kind, context = details["type"], details.get("ctx", {})
    match kind:
        case "value_error":
            error = context["error"]
            return str(error), error.hint if isinstance(error, RefusedError) else ""
        case "missing":
            return "missing", _MISSING.get(str(loc[-1]), "")
        case "extra_forbidden":
            return _unknown_key(loc, model)
        case "literal_error":
            return _one_of(str(context["expected"]), value)
        case "tuple_type":
            return _not_a_list(value)
        case "too_short":
            optional = loc[0] == "keys"
            return (
                "an empty list allows nothing" if optional else "at least one is needed here",
                "leave it out for all" if optional else "",
            )
        case "too_long":
            return f"at most {context['max_length']} are possible here", ""
        case "bool_type":
            meant = _BOOLEANS.get(str(value).lower())
            return "true or false is wanted here", f"write `{meant}`" if meant else ""
        case "string_type":
            return "text is wanted here", "put it into quotes" if isinstance(value, (bool, int, float)) else ""
        case "greater_than_equal":
            return f"must be {context['ge']} or more", ""
        case "less_than_equal":
            return f"must be {context['le']} or less", ""
        case "string_pattern_mismatch":
            return f"does not look as it must: {context['pattern']}", ""
        case _:
            return _FIXED.get(kind, details["msg"]), ""


def _near(loc: Loc, model: type[Section]) -> str | None:
    """Return the known key that is closest to an unknown one."""
    return nearest(str(loc[-1]), _model_at(model, loc[:-1]).model_fields)


def _unknown_key(loc: Loc, model: type[Section]) -> tuple[str, str]:
    name, parent = str(loc[-1]), _model_at(model, loc[:-1])
    if name in parent.LATER:
        return "not supported yet", ""
    known = list(parent.model_fields)
    return "unknown key", did_you_mean(name, known) or (
        f"known here: {', '.join(f'`{key}`' for key in known)}" if len(known) <= _FEW else ""
    )


def _one_of(expected: str, value: Any) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", expected)
    listed = " or ".join(filter(None, (", ".join(f"`{choice}`" for choice in choices[:-1]), f"`{choices[-1]}`")))
    return f"{listed} is wanted here", did_you_mean(value, choices) if isinstance(value, str) else ""


def _not_a_list(value: Any) -> tuple[str, str]:
    if isinstance(value, Table):
        return "a list is wanted here", "put `- ` before each entry"
    return "a list is wanted here", "put it into brackets: `[…]`"


def _model_at(model: type[Section], loc: Loc) -> type[Section]:
    """Return the section that holds the keys at `loc`."""
    if loc == ("keys",):
        return KeyStoreSettings
    at = model
    for step in loc:
        if isinstance(step, str) and step in at.model_fields:
            at = _section_in(at.model_fields[step].annotation) or at
    return at


def _section_in(annotation: Any) -> type[Section] | None:
    """Return the section inside `Section`, `Section | None`, a list of them (or its subclass) or a mapping to them."""
    annotation = getattr(annotation, "SECTION", annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if issubclass(annotation, Section) else None
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
