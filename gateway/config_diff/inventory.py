"""Splits a configuration into items, so that two configurations can be compared without revealing secrets.

An item is a named part of a configuration: the route `orders.item`, the limit `minute` of the plan `standard`, the key
`acme-ci`. Its aspects are its values with defaults filled in, written as in a file (`30s`, `8MiB`). Every field of the
schema becomes an aspect of some item, including fields that were added to the schema later.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec
from pydantic import SecretStr

from gateway.net import redis_url
from gateway.settings import Config
from gateway.settings.schema.config import LISTS
from gateway.settings.schema.routing import RouteSettings
from gateway.settings.schema.types import Section
from gateway.table.compile import build_faults

MASK = "***"
"""Replaces a value that must not be shown."""
_FINGERPRINT_BYTES = 4
_SECRET_NAME = re.compile(r"secret|token|passw|auth|cookie|key|credential|signature|session", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(basic|bearer|digest)\s", re.IGNORECASE)


def is_secret(name: str, value: str) -> bool:
    """Return whether the value of a header field is probably a secret, judged by its name and its form."""
    return _SECRET_NAME.search(name) is not None or _SECRET_VALUE.match(value) is not None


class Item(msgspec.Struct, frozen=True):
    """One named part of a configuration.

    `name` is unique among the items of its `kind`. `of` is the item that it belongs to and with which it is added or
    removed, "" for none.
    """

    kind: str
    name: str
    aspects: dict[str, Any]
    of: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Preface(msgspec.Struct, frozen=True):
    """Precedes the inventory of a running gateway: its release, and the salt (hexadecimal) of its Redactor."""

    release: str
    salt: str


class Redactor:
    """Replaces secrets by values that only show whether two secrets are equal.

    A key digest becomes a few bytes of a hash with `salt`, which is safe because keys are random. Tokens and passwords
    are chosen by people and could be guessed from such a hash. They get one only if the inventory does not leave this
    process (`local`), otherwise all of them look the same.
    """

    def __init__(self, salt: bytes, *, local: bool) -> None:
        self._salt = salt
        self._local = local

    def digest(self, digest: str) -> str:
        return blake2b(digest.encode(), key=self._salt, digest_size=_FINGERPRINT_BYTES).hexdigest()

    def word(self, word: str) -> str:
        return f"{MASK} ({self.digest(word)})" if self._local else MASK

    def url(self, url: str) -> str:
        """Redact a Redis URL: everything but the login stays readable."""
        return f"{redis_url.masked(url)} ({self.digest(url)})" if self._local else redis_url.masked(url)


def items_of(config: Config, redactor: Redactor) -> Iterator[Item]:
    """Yield everything in `config` except the names of its files."""
    for name, value in config:
        if name in LISTS:
            for entry in value:
                yield from _entry(config, name.removesuffix("s"), entry, redactor)
        elif isinstance(value, Section):
            kind, shown = ("store", "keys") if name == "key_store" else ("section", name)
            yield from _items_of_section(kind, shown, value, redactor)
    for fault in build_faults(config).values():
        links = [f"{link.title}: {link.href}" for link in fault.links]
        aspects = {
            "status": fault.status,
            "code": fault.code,
            "message": fault.message,
            "developer_message": fault.developer_message,
        }
        yield Item("error", fault.name, aspects | {"links": links})


def _entry(config: Config, kind: str, entry: Any, redactor: Redactor) -> Iterator[Item]:
    item, *below = _items_of_section(kind, entry.id, entry, redactor)
    if isinstance(entry, RouteSettings):
        item.aspects.update(_of_route(config, entry, redactor))
        del item.aspects["match.path"], item.aspects["match.prefix"]
    yield item
    yield from below


def _of_route(config: Config, route: RouteSettings, redactor: Redactor) -> dict[str, Any]:
    """Return the aspects that a route inherits, and its path in the form shown elsewhere."""
    headers = config.headers_of(route)
    inherited = {
        "envelope": config.envelope_of(route),
        "timeouts": config.timeouts_of(route),
        "cors": config.cors_of(route),
        "compression": config.compression_of(route),
    }
    allow, deny = config.addresses_of(route)
    return {
        "allow": [str(each) for each in allow] or None,
        **({"deny": [str(each) for each in deny]} if deny else {}),
        "path": route.match.path or f"{(route.match.prefix or '').rstrip('/')}/**",
        "plan": config.plan_of(route).id if route.auth == "none" else None,
        **{
            path: spelled
            for path, value, spelled in _leaves(headers, headers.model_dump(mode="json"), redactor, "headers")
            if value != ()
        },
        **{
            f"{name}.{field}": value
            for name, part in inherited.items()
            for field, value in part.model_dump(mode="json").items()
        },
    }


def _items_of_section(kind: str, name: str, section: Section, redactor: Redactor) -> Iterator[Item]:
    """Yield the section as an item, followed by the items of its lists."""
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
            yield from _items_of_section(part_kind, part.id, part, redactor)
        else:
            for item in _items_of_section(part_kind, f"{part.id} of {kind} {name}", part, redactor):
                yield msgspec.structs.replace(item, of=f"{kind} {name}")


def _leaves(value: Any, spelled: Any, redactor: Redactor, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the path of each value in a section, the value, and its displayed form."""
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
