"""Keys of the configuration, each compiled when it is first used, because most of many keys may never be used."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from sys import intern
from typing import TypeVar

from gateway.kernel.addresses import Binding, address_rules, referrers
from gateway.kernel.limits.ratelimit_headers import RateLimitFields
from gateway.kernel.limits.token_bucket import Claim, Window
from gateway.kernel.memo import MANY_CALLERS, Memo
from gateway.settings import Config
from gateway.settings.schema.access import KeySettings
from gateway.settings.schema.limits import KeyLimit
from gateway.table.keyring import Caller, Key, bucket_name, bucket_of
from gateway.table.limits import (
    Tags,
    claim_of,
    key_windows,
    organization_windows,
    plan_windows,
    reply_fields,
    shadows_last,
)

T = TypeVar("T")
MOST_MADE = MANY_CALLERS
"""Compiled keys that are remembered, about 1.5 KB each."""


class Made(Memo[T, Key | None]):
    """Maps proofs to keys that are compiled on first use. `find` returns the settings of a key, None if there is none.

    Fills itself up to a bound, so that a key that was used before costs one look-up.
    """

    __slots__ = ("_find", "_make")

    def __init__(self, find: Callable[[T], KeySettings | None], make: Callable[[KeySettings], Key]) -> None:
        super().__init__(MOST_MADE)
        self._find = find
        self._make = make

    def __missing__(self, shown: T) -> Key | None:
        setting = self._find(shown)
        if setting is None:
            return None
        return self.keep(shown, self._make(setting))


class KeyMaker:
    """Compiles keys with the plans, organisations and routes of a configuration."""

    def __init__(self, config: Config) -> None:
        self._names = config.auth.caller_headers
        self._organization_header = config.auth.organization_header
        self._disabled = frozenset(organization.id for organization in config.organizations if organization.disabled)
        self._routes = tuple(route.id for route in config.routes)
        self._plans = plan_windows(config)
        self._organizations = organization_windows(config)
        self._tags = Tags(config)
        self._stored = config.key_store is not None
        self._windows: Memo[
            tuple[str, tuple[KeyLimit, ...], str | None], tuple[tuple[Window, ...], RateLimitFields]
        ] = Memo(MOST_MADE)
        self._allowed: Memo[tuple[str, ...], frozenset[str]] = Memo(MOST_MADE)

    def make(self, setting: KeySettings) -> Key:
        """Compile a key whose plan and organisations exist."""
        methods = (
            None
            if setting.methods is None
            else frozenset(setting.methods) | ({"HEAD"} if "GET" in setting.methods else frozenset())
        )
        tag = self._tags.of(setting)
        bucket = bucket_name(tag, bucket_of(self._owner(setting)))
        allowed = self._routes_of(setting.routes)
        callers: dict[str | None, Caller] = {}
        several = len(setting.organizations) > 1
        addresses, pages = address_rules(setting.allow, setting.deny), referrers(setting.referrers)
        binding = None if addresses is None and pages is None else Binding(addresses, pages)
        for organization in setting.organizations or (None,):
            shared = bucket
            if organization is not None:  # one text for all keys of the organisation
                shared = intern(bucket_name(tag, bucket_of(f"organization {organization}")))
            claim, peek = self._claims(setting, organization, bucket, shared)
            head = self._head(setting, organization)
            callers[organization] = Caller(
                setting.id, organization, setting.plan, bucket, shared, claim, peek, head, allowed, methods, several,
                binding, not self._stored and setting.expires is None,
            )  # fmt: skip
        callers[None] = next(iter(callers.values()))
        return Key(
            setting.id,
            callers,
            setting.disabled,
            self._disabled,
            setting.expires.timestamp() if setting.expires else None,
        )

    def _owner(self, setting: KeySettings) -> str:
        """Return the owner of the bucket. A stored key keeps its bucket when it gets another secret."""
        if self._stored:
            return f"id {setting.id}"
        return (
            f"key {setting.secret_sha256}"
            if setting.secret_sha256 is not None
            else f"certificate {setting.certificate_subject}"
        )

    def _head(self, setting: KeySettings, organization: str | None) -> bytes:
        """Return the header lines that name the caller to the upstream.

        The organisation is also sent in the field that clients use, for services that read it there.
        """
        about: Mapping[str, str | None] = {
            self._names.id: setting.id,
            self._names.organization: organization,
            self._organization_header: organization,
            self._names.plan: setting.plan,
        }
        return "".join(f"{name}: {value}\r\n" for name, value in about.items() if value is not None).encode("latin-1")

    def _claims(
        self, setting: KeySettings, organization: str | None, bucket: str, organization_bucket: str
    ) -> tuple[Claim, Claim]:
        """Return the claims for a call and for reading the limits at no cost."""
        alike = (setting.plan, setting.limits, organization)
        if alike not in self._windows:
            limits_routes = key_windows(self._plans[setting.plan], setting)
            windows = shadows_last(limits_routes + self._organizations.get(organization or "", ()))
            self._windows.keep(alike, (windows, reply_fields(windows)))
        windows, fields = self._windows[alike]
        call = claim_of(bucket, organization_bucket, windows, 1, fields)
        return call, Claim(call.keys, windows, 0, fields)

    def _routes_of(self, patterns: tuple[str, ...] | None) -> frozenset[str] | None:
        if patterns is None:
            return None
        if patterns not in self._allowed:
            self._allowed.keep(
                patterns, frozenset(route for route in self._routes if any(fnmatchcase(route, one) for one in patterns))
            )
        return self._allowed[patterns]
