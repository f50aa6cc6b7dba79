"""Keys stored outside of the configuration: entries in the form of `keys`, checked against one configuration."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

from pydantic import ValidationError

from gateway.settings.checks.limits import own_limits
from gateway.settings.positions import spell
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.config import Config
from gateway.settings.schema.values import RefusedError, did_you_mean


def read_key(entry: Mapping[str, object]) -> KeySettings:
    """Return the entry as a key. Raises RefusedError with all its problems; no text repeats a secret."""
    try:
        return KeySettings.model_validate(entry)
    except ValidationError as error:
        raise RefusedError("; ".join(_problems(error))) from None


def key_problems(entry: Mapping[str, object]) -> list[str]:
    """Return all that is wrong with an entry in itself, each with its place in the entry. No text repeats a secret."""
    try:
        KeySettings.model_validate(entry)
    except ValidationError as error:
        return _problems(error)
    return []


def _problems(error: ValidationError) -> list[str]:
    found = error.errors(include_url=False, include_input=False)
    return [f"{spell(each['loc'])}: {_text(each['type'], each['msg'])}" for each in found]


def _text(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key"
    return "missing" if kind == "missing" else message.removeprefix("Value error, ")


class References:
    """The parts of a configuration that keys may refer to."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._plans = frozenset(plan.id for plan in config.plans)
        self._organizations = frozenset(organization.id for organization in config.organizations)
        self._routes = tuple(route.id for route in config.routes)
        self._certificates = any(each.tls and each.tls.client_ca for each in config.server.listeners)

    def wrong(self, key: KeySettings) -> Iterator[str]:
        """Yield problems because of which the key cannot be used, or would be allowed too much."""
        if key.plan not in self._plans:
            yield _there_is_no("plan", key.plan, self._plans)
        for organization in key.organizations:
            if organization not in self._organizations:
                yield _there_is_no("organization", organization, self._organizations)
        yield from self._own_limits(key, lambda field: field != "per")

    def doubtful(self, key: KeySettings) -> Iterator[str]:
        """Yield harmless problems: patterns that match nothing, and two limits with the same `per`."""
        for pattern in key.routes or ():
            if not any(fnmatchcase(route, pattern) for route in self._routes):
                yield f"`{pattern}` matches no route{_hint(pattern, self._routes)}"
        if key.certificate_subject is not None and not self._certificates:
            yield "no listener asks clients for certificates; set `tls.client_ca` of one"
        yield from self._own_limits(key, lambda field: field == "per")

    def _own_limits(self, key: KeySettings, about: Callable[[object], bool]) -> Iterator[str]:
        for at, text, hint in own_limits(self._config, key) if key.limits else ():
            if about(at[-1]):
                yield f"{spell(('limits', *at))}: {text}" + (f"; {hint}" if hint else "")


def _there_is_no(what: str, wanted: str, known: frozenset[str]) -> str:
    return f"there is no {what} `{wanted}`{_hint(wanted, known)}"


def _hint(wanted: str, known: frozenset[str] | tuple[str, ...]) -> str:
    hint = did_you_mean(wanted, known)
    return f"; {hint}" if hint else ""
