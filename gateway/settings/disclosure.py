"""Which keys of a configuration may be shown with their values: what the schema says, and what it cannot say."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, SecretStr

from gateway.kernel.faults import CATALOGUE
from gateway.settings.schema.config import Config
from gateway.settings.secret_patterns import holds_key

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_SECRET_KEYS = frozenset({"key", "secret_sha256", "private_key", "set"})
"""Values that the types of the schema do not tell for secrets: somebody's key may stand there by mistake, or credentials in a field."""
_URL_KEYS = frozenset({"url"})
"""Shown as a URL is, though some of them are secrets as a whole."""


class _Disclosure(NamedTuple):
    """The schema's keys: those whose values may be shown, and those that are sections."""

    values: frozenset[str]
    sections: frozenset[str]


@cache
def _disclosure() -> _Disclosure:
    values: set[str] = set()
    sections: set[str] = set(CATALOGUE)
    secret: set[str] = set(_SECRET_KEYS)
    seen: set[type[BaseModel]] = set()

    def walk(model: type[BaseModel]) -> None:
        seen.add(model)
        for name, field in model.model_fields.items():
            inner = list(_parts(field.annotation))
            models = [part for part in inner if isinstance(part, type) and issubclass(part, BaseModel)]
            (sections if models else secret if SecretStr in inner else values).add(name)
            for part in models:
                if part not in seen:
                    walk(part)

    walk(Config)
    return _Disclosure(frozenset(values - secret | _URL_KEYS), frozenset(sections - {"set"}))


def _parts(annotation: Any) -> Iterator[Any]:
    yield getattr(annotation, "SECTION", annotation)
    for part in get_args(annotation):
        yield from _parts(part)


def may_be_shown(key: str | None) -> bool:
    """Whether values of `key` are no secrets, by what the schema says. None: a value that stands under no key."""
    return key in _disclosure().values


def opens(key: str) -> bool:
    """Whether what stands below the key may be shown at all."""
    known = _disclosure()
    return key in known.sections or key in known.values


def is_plain_key(name: str) -> bool:
    """Whether `name` can be the name of a key, known or misspelt, and no part of a secret."""
    return _PLAIN_KEY.fullmatch(name) is not None and not holds_key(name)
