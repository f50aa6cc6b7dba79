"""Decides which keys of a configuration may be shown with their values, from the schema and a list of exceptions."""

import re
from collections.abc import Collection, Iterator
from functools import cache
from itertools import product
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, SecretStr

from gateway.kernel.faults import CATALOGUE
from gateway.settings.schema.config import Config
from gateway.settings.schema.values import nearest
from gateway.settings.secret_patterns import holds_key

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_SECRET_KEYS = frozenset({"key", "secret_sha256", "private_key", "set"})
"""Values that are secrets although the types of the schema do not say so: they may contain a key by mistake, or
credentials.
"""
_URL_KEYS = frozenset({"url"})
"""Shown as a URL is, though some of them are secrets as a whole."""


ROOT = ""
"""Names the mapping that is the whole configuration."""
ValueKind: TypeAlias = Literal["plain", "url", "section", "secret"]
_STRICTEST: tuple[ValueKind, ...] = ("secret", "url", "plain", "section")


@cache
def _fields() -> dict[str, dict[str, set[ValueKind]]]:
    """Return the keys of a mapping by its name, with what they hold: several kinds if mappings share the name."""
    known: dict[str, dict[str, set[ValueKind]]] = {}
    seen: set[tuple[str, type[BaseModel]]] = set()

    def walk(parent: str, model: type[BaseModel]) -> None:
        seen.add((parent, model))
        fields = known.setdefault(parent, {})
        for name, field in model.model_fields.items():
            key = str(field.validation_alias or name)
            inner = list(_parts(field.annotation))
            models = [part for part in inner if isinstance(part, type) and issubclass(part, BaseModel)]
            kind: ValueKind = (
                "section" if models else "secret" if SecretStr in inner or name in _SECRET_KEYS else "plain"
            )
            fields.setdefault(key, set()).add("url" if name in _URL_KEYS else kind)
            if key == "errors":
                known.setdefault(key, {}).update((fault, {"section"}) for fault in CATALOGUE)
            for below, part in product(CATALOGUE if key == "errors" else (key,), models):
                if (below, part) not in seen:
                    walk(below, part)

    walk(ROOT, Config)
    return known


@cache
def _anywhere() -> dict[str, set[ValueKind]]:
    """Return the keys of all mappings."""
    found: dict[str, set[ValueKind]] = {}
    for fields in _fields().values():
        for key, kinds in fields.items():
            found.setdefault(key, set()).update(kinds)
    return found


def _kinds(key: str, parent: str | None) -> Collection[ValueKind]:
    fields = _anywhere() if parent is None else _fields().get(parent, {})
    return fields.get(key, ())


def _parts(annotation: Any) -> Iterator[Any]:
    yield getattr(annotation, "SECTION", annotation)
    for part in get_args(annotation):
        yield from _parts(part)


def kind_of(key: str, parent: str | None) -> ValueKind:
    """Return the kind of the value of `key` in the mapping `parent`; None if its name is not known.

    What the schema does not know is a secret.
    """
    kinds = _kinds(key, parent)
    return next((kind for kind in _STRICTEST if kind in kinds), "secret")


def opens(key: str, parent: str | None = None) -> bool:
    """Return whether the values below the key may be shown at all."""
    return any(kind != "secret" for kind in _kinds(key, parent))


def is_plain_key(name: str) -> bool:
    """Return whether `name` can be the name of a key, known or misspelt, and no part of a secret."""
    if _PLAIN_KEY.fullmatch(name) is None or holds_key(name):
        return False
    # Few keys have digits, and most passwords do.
    return name.isascii() and (not any(char.isdigit() for char in name) or nearest(name, _fields()["keys"]) is not None)
