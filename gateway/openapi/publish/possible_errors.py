"""Which errors a route can give, by what its configuration asks of requests and promises of replies.

Errors of the connection rather than of a route (a method or a transfer coding that is unknown, for example) may meet
any request, and are the same everywhere: a document has them as `default`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.kernel.errors.translate import code_and_message
from gateway.kernel.faults import Fault
from gateway.openapi.model import Audience
from gateway.settings import Config
from gateway.settings.schema.access import Plan
from gateway.settings.schema.limits import Limit
from gateway.settings.schema.routing import RouteSettings
from gateway.table.quotas import quota_fault

BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ONCE_ONLY = frozenset({"POST", "PATCH"})
"""Methods that may have an idempotency key."""
_ALWAYS = (
    "malformed_request",
    "malformed_path",
    "request_timeout",
    "url_too_long",
    "headers_too_large",
    "no_route",
    "internal_error",
    "maintenance",
    "too_many_connections",
    "shutting_down",
)
_KEYED = (
    "key_missing",
    "key_ambiguous",
    "key_unknown",
    "key_expired",
    "key_disabled",
    "organization_disabled",
    "organization_forbidden",
    "route_forbidden",
    "method_forbidden",
)
_STORED_KEYS = ("keys_unavailable", "key_unusable")
_CHECKED = ("request_incomplete", "request_invalid")
_IDEMPOTENT = (
    "idempotency_key_invalid",
    "idempotency_conflict",
    "idempotency_reply_not_kept",
    "idempotency_mismatch",
)
_OF_TYPE = frozenset({"upstream_type_refused"})
_OF_CONTENTS = _OF_TYPE | {"upstream_body_invalid"}
"""Faults of replies that are put into the envelope."""


class PossibleError(NamedTuple):
    """An error that a route can give. `text` is for its callers' developers."""

    name: str
    status: int
    code: int
    message: str
    text: str
    retryable: bool


class PossibleErrors:
    """Knows for a configuration what calls may get of the gateway, with the operator's words and codes."""

    def __init__(self, config: Config, faults: Mapping[str, Fault], audience: Audience) -> None:
        self._config = config
        self._faults = faults
        self._plan = audience.plan
        stored, keys = config.key_store is not None, config.keys.plain
        limited = any(not limit.shadow for each in config.organizations for limit in each.limits)
        self._by_referrer = stored or any(key.referrers for key in keys)
        self._by_address = stored or any(key.allow or key.deny for key in keys)
        self._limited_apart = stored or limited or any(not limit.shadow for key in keys for limit in key.limits)
        self._shared_concurrency = any(each.concurrency for each in config.organizations)
        self._denies = "deny" in config.ways_without_redis()

    def of(self, route: RouteSettings, method: str) -> tuple[PossibleError, ...]:
        """Return the errors of calls of `route` with `method`."""
        rows = [self._faults[name] for name in self._names(route, method)]
        plans = self._plans(route)
        spent = self._faults["quota_spent"]
        rows += dict.fromkeys(
            quota_fault(quota, spent)
            for plan in plans
            for quota in plan.quotas
            if any(calls.includes(route.id, method) for calls in quota.charge)
        )
        limits: list[Limit] = [*(limit for plan in plans for limit in plan.limits), *route.limits_of(method)]
        if any(not limit.shadow for limit in limits) or (route.auth == "key" and self._limited_apart):
            rows.append(self._faults["rate_limited"])
        if any(plan.concurrency for plan in plans) or (route.auth == "key" and self._shared_concurrency):
            rows.append(self._faults["concurrency_exceeded"])
        return tuple(
            PossibleError(
                row.name,
                row.status,
                *code_and_message(row, route.error_family),
                row.developer_message,
                row.retryable or row.status == 429,
            )
            for row in rows
        )

    def _names(self, route: RouteSettings, method: str) -> list[str]:
        config, keyed = self._config, route.auth == "key"
        envelope = config.envelope_of(route)
        names = list(_ALWAYS)
        if keyed:
            names += _KEYED
            names += _STORED_KEYS if config.key_store is not None else ()
            names += ["referrer_forbidden"] if self._by_referrer else []
        if any(config.addresses_of(route)) or (keyed and self._by_address):
            names.append("address_forbidden")
        if method in BODY_METHODS:
            names.append("body_too_large")
        if is_checked(route):
            names += _CHECKED
            names += ("media_type_unsupported", "bodies_full") if method in BODY_METHODS else ()
        if route.idempotency is not None and method in ONCE_ONLY:
            names += _IDEMPOTENT
        if self._denies:
            names.append("limiter_unavailable")
        left_out = _OF_CONTENTS if envelope.mode == "passthrough" else _OF_TYPE if envelope.binary != "refuse" else ()
        return names + [each.name for each in self._faults.values() if each.of_upstream and each.name not in left_out]

    def _plans(self, route: RouteSettings) -> list[Plan]:
        """Return the plans that callers of a route may have."""
        if route.auth == "none":
            return [self._config.plan_of(route)]
        return [plan for plan in self._config.plans if self._plan in {None, plan.id}]


def is_checked(route: RouteSettings) -> bool:
    """Return whether requests that are not as described are refused."""
    return route.request is not None and route.request.mode == "enforce"
