"""A configuration taken apart into things, so that two of them can be compared and neither tells a secret.

A thing is what an operator has a word for: the route `orders.item`, the limit `minute` of the plan `standard`, the key `acme-ci`.
Its aspects are what holds for it once defaults are filled in, spelled as in a file (`30s`, `8MiB`). Every field of the
schema is an aspect of something, those that nobody thought of here too.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec
from pydantic import SecretStr

from gateway.kernel import redis_url
from gateway.settings import Config
from gateway.settings.schema.config import LISTS
from gateway.settings.schema.routing import RouteSettings
from gateway.settings.schema.types import Section
from gateway.table.compile import build_faults

MASK = "***"
"""Stands for what is not shown."""
_FINGERPRINT_BYTES = 4
_SECRET_NAME = re.compile(r"secret|token|passw|auth|cookie|key|credential|signature|session", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(basic|bearer|digest)\s", re.IGNORECASE)


def is_secret(name: str, value: str) -> bool:
    """Whether the value of a header field is for nobody to see, by the looks of it."""
    return _SECRET_NAME.search(name) is not None or _SECRET_VALUE.match(value) is not None


class Item(msgspec.Struct, frozen=True):
    """`name` tells it apart from others of its `kind`; `of` is what it goes with when that comes or goes, "" for nothing."""

    kind: str
    name: str
    aspects: dict[str, Any]
    of: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Preface(msgspec.Struct, frozen=True):
    """What a gateway says before its outline: which release made it, and the salt (hexadecimal) of its veil."""

    release: str
    salt: str


class Redactor:
    """Stands in for secrets, so that it shows whether two are the same one.

    Digests of keys become a few bytes of a hash with `salt`: keys are random, and nobody finds one by that. What people
    think of themselves, tokens and passwords, could be guessed: that is told apart where the outline stays at home
    (`at_home`), and looks alike elsewhere.
    """

    def __init__(self, salt: bytes, *, at_home: bool) -> None:
        self._salt = salt
        self._at_home = at_home

    def digest(self, digest: str) -> str:
        return blake2b(digest.encode(), key=self._salt, digest_size=_FINGERPRINT_BYTES).hexdigest()

    def word(self, word: str) -> str:
        return f"{MASK} ({self.digest(word)})" if self._at_home else MASK

    def url(self, url: str) -> str:
        """Of Redis: all of it but the login can be seen."""
        return f"{redis_url.masked(url)} ({self.digest(url)})" if self._at_home else redis_url.masked(url)


def items_of(config: Config, redactor: Redactor) -> Iterator[Item]:
    """Everything in `config` but the names of the files that it stands in."""
    for name, value in config:
        if name in LISTS:
            for entry in value:
                yield from _entry(config, name.removesuffix("s"), entry, redactor)
        elif isinstance(value, Section):
            kind, name = ("store", "keys") if name == "key_store" else ("section", name)
            yield from _taken_apart(kind, name, value, redactor)
    for fault in build_faults(config).values():
        links = [f"{link.title}: {link.href}" for link in fault.links]
        aspects = {"status": fault.status, "code": fault.code, "message": fault.message, "developer_message": fault.developer_message}
        yield Item("error", fault.name, aspects | {"links": links})


def _entry(config: Config, kind: str, entry: Any, redactor: Redactor) -> Iterator[Item]:
    thing, *below = _taken_apart(kind, entry.id, entry, redactor)
    if isinstance(entry, RouteSettings):
        thing.aspects.update(_of_route(config, entry, redactor))
        del thing.aspects["match.path"], thing.aspects["match.prefix"]
    yield thing
    yield from below


def _of_route(config: Config, route: RouteSettings, redactor: Redactor) -> dict[str, Any]:
    """What a route inherits, and its path as it is shown elsewhere."""
    headers = config.headers_of(route)
    inherited = {"envelope": config.envelope_of(route), "timeouts": config.timeouts_of(route)}
    return {
        "path": route.match.path or f"{(route.match.prefix or '').rstrip('/')}/**",
        "plan": config.plan_of(route).id if route.auth == "none" else None,
        **{path: spelled for path, value, spelled in _leaves(headers, headers.model_dump(mode="json"), redactor, "headers") if value != ()},
        **{f"{name}.{field}": value for name, part in inherited.items() for field, value in part.model_dump(mode="json").items()},
    }


def _taken_apart(kind: str, name: str, section: Section, redactor: Redactor) -> Iterator[Item]:
    """The section as a thing, and then those that it is a list of."""
    aspects: dict[str, Any] = {}
    below: list[tuple[str, Any]] = []
    for path, value, spelled in _leaves(section, section.model_dump(mode="json"), redactor):
        if isinstance(value, tuple) and hasattr(next(iter(value), None), "id"):
            below += [(path.rpartition(".")[2].removesuffix("s"), part) for part in value]
        elif value != () and path != "id":
            aspects[path] = spelled
    yield Item(kind, name, aspects)
    for part_kind, part in below:
        if kind == "section":
            yield from _taken_apart(part_kind, part.id, part, redactor)
        else:
            for thing in _taken_apart(part_kind, f"{part.id} of {kind} {name}", part, redactor):
                yield msgspec.structs.replace(thing, of=f"{kind} {name}")


def _leaves(value: Any, spelled: Any, redactor: Redactor, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The way to each value in a section, the value, and how it is shown."""
    if isinstance(value, Section | dict):
        for name, part in value if isinstance(value, Section) else value.items():
            yield from _leaves(part, spelled[name], redactor, f"{path}.{name}" if path else name)
    elif isinstance(value, SecretStr):
        yield path, value, (redactor.url if path == "url" else redactor.word)(value.get_secret_value())
    elif path == "secret_sha256" and value is not None:
        yield path, value, redactor.digest(value)
    elif ".set." in path and is_secret(path.partition(".set.")[2], value):
        yield path, value, redactor.word(value)
    else:
        yield path, value, spelled
