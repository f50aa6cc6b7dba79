"""A configuration in which every field of the schema has a value, and the same one with one of them changed.

Made from the schema, so that a field that is added there is there. Valid it is not: nothing is checked.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gateway.net.address import Address, TargetUrl
from gateway.settings import Config
from gateway.settings.schema.health import Statuses
from gateway.settings.schema.key_list import KeyList
from gateway.settings.schema.routing import RouteSettings
from gateway.settings.schema.types import Section

TEXT = "/x"
"""The value of every text and the id of everything, so that every reference leads somewhere."""
OTHER = "/xy"
"""What texts change to."""
_OF_KIND: dict[type, Any] = {
    bool: False,
    int: 3,
    float: 1.5,
    str: TEXT,
    SecretStr: SecretStr("a-secret"),
    datetime: datetime(2027, 1, 1, tzinfo=UTC),
    Address: Address("a", 1),
    TargetUrl: TargetUrl("http", "a", 1, ""),
    Statuses: Statuses(200, 399),
    IPv4Network: IPv4Network("10.0.0.0/8"),
}


class Variant(NamedTuple):
    """A configuration that differs from another one in the field `field` of a section of the kind `section`."""

    section: type[Section]
    field: str
    config: Config


def whole() -> Config:
    """With a route that asks for a key, and an open one for a prefix."""
    config: Config = _section(Config)
    route: RouteSettings = config.routes[0]
    closed = route.model_copy(update={"match": route.match.model_copy(update={"prefix": None})})
    opened = route.model_copy(
        update={
            "id": "open",
            "auth": "none",
            "limits": (),
            "match": route.match.model_copy(update={"path": None, "prefix": "/open"}),
        }
    )
    others = {
        name: (*each, each[0].model_copy(update={"id": OTHER}))
        for name in ("plans", "upstreams")
        for each in [getattr(config, name)]
    }
    return config.model_copy(
        update={"routes": (closed, opened), "errors": {"rate_limited": config.errors[TEXT]}, **others}
    )


def variants(config: Config) -> Iterator[Variant]:
    """One of another id is one more, so that nothing refers to what is not there."""
    for section, field, changed in _variants(config):
        yield Variant(section, field, changed)


def fields(section: type[Section] = Config) -> set[tuple[type[Section], str]]:
    """Yield the fields of the schema with their sections, except fields that are sections or have one value."""
    found: set[tuple[type[Section], str]] = set()
    for name, field in section.model_fields.items():
        kinds = [part.SECTION if part is KeyList else part for part in _parts(field.annotation)]
        below = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)]
        for each in below:
            found |= fields(each)
        if not below and not (get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1):
            found.add((section, name))
    return found


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _section(kind: type[Section]) -> Any:
    return kind.model_construct(**{name: _value(field.annotation) for name, field in kind.model_fields.items()})


def _value(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return _section(annotation)
    if annotation is KeyList:
        return (_section(KeyList.SECTION),)
    if annotation in _OF_KIND:
        return _OF_KIND[annotation]
    if origin is Literal:
        return arguments[0]
    if origin is tuple:
        return (_value(arguments[0]),)
    if origin is dict:
        return {TEXT: _value(arguments[1])}
    # `X | None`, `A | B`, or what pydantic has annotated: the first is as good as any.
    return _value(arguments[0])


def _variants(section: Section) -> Iterator[tuple[type[Section], str, Any]]:
    for name, field in type(section).model_fields.items():
        for kind, changed_field, value in _of_value(type(section), name, getattr(section, name), field):
            yield kind, changed_field, section.model_copy(update={name: value})


def _of_value(kind: type[Section], name: str, value: Any, field: FieldInfo) -> Iterator[tuple[type[Section], str, Any]]:
    """Where it is changed, and the value of `name` then."""
    if isinstance(value, Section):
        yield from _variants(value)
    elif isinstance(value, tuple) and value and isinstance(value[0], Section):
        for index, each in enumerate(value):
            for below, what, changed in _variants(each):
                one_more = (*value, changed.model_copy(update={"id": "/new"})) if what == "id" else ()
                yield below, what, one_more or (*value[:index], changed, *value[index + 1 :])
    elif isinstance(value, dict) and value and isinstance(next(iter(value.values())), Section):
        for key, each in value.items():
            for below, what, changed in _variants(each):
                yield below, what, value | {key: changed}
    else:
        for other in _others(value, field):
            yield kind, name, other


def _others(value: Any, field: FieldInfo) -> list[Any]:
    """Values that are not `value`; none for a field that can have no other."""
    choices = [choice for part in _parts(field.annotation) if get_origin(part) is Literal for choice in get_args(part)]
    if choices and isinstance(value, tuple):
        return [(*value, other) for other in choices if other not in value] or [()]
    if choices:
        return [
            other for other in [*choices, *([None] if NoneType in get_args(field.annotation) else [])] if other != value
        ]
    if value is None or isinstance(value, bool):
        return [] if value is None else [not value]
    if isinstance(value, Address | TargetUrl):
        return [value._replace(port=value.port + 1)]
    if isinstance(value, tuple):
        return [(*value, _another(value[0]))] if value else []
    if isinstance(value, dict):
        return [{name: _another(each) for name, each in value.items()}, value | {OTHER: next(iter(value.values()))}]
    return [_another(value)]


def _another(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return SecretStr("another-secret")
    if isinstance(value, datetime):
        return value + timedelta(days=1)
    if isinstance(value, Statuses):
        return Statuses(500, 500)
    if isinstance(value, IPv4Network):
        return IPv4Network("192.168.0.0/16")
    return OTHER if isinstance(value, str) else value * 2
