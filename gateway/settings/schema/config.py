"""The whole configuration, and what its parts mean together."""

from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, field_validator

from gateway.kernel.addresses import AddressRules, Network, address_rules
from gateway.kernel.faults import CATALOGUE
from gateway.kernel.limits.token_bucket import OnFailure
from gateway.settings.schema.access import BUILT_IN_PLANS, Auth, KeySettings, KeyStoreSettings, Organization, Plan
from gateway.settings.schema.cors import CorsSettings
from gateway.settings.schema.key_list import KeyList
from gateway.settings.schema.limits import Limit, PlanLimit
from gateway.settings.schema.observability import Observability
from gateway.settings.schema.replies import CompressionSettings, EnvelopeSettings
from gateway.settings.schema.routing import Defaults, ErrorOverride, RouteHeaders, RouteSettings
from gateway.settings.schema.server import AdminSettings, RedisSettings, ServerSettings
from gateway.settings.schema.types import Many, Section, Version, section
from gateway.settings.schema.upstreams import Timeouts, UpstreamSettings

SELF_SERVICE_ROUTE = "gateway.key"
"""The id of the route at `server.self_service_path`."""
ROTATION_ROUTE = "gateway.key.rotate"
"""The id of the route below it, for a new secret."""
LIMITS_ROUTE = "gateway.limits"
"""The id of the route at `server.limits_path`."""
OPENAPI_ROUTE = "gateway.openapi"
"""The id of the routes at `server.openapi_path`, for JSON and for YAML."""
DOCS_ROUTE = "gateway.docs"
"""The id of the routes at `server.docs_path`, for the page and the files that it loads."""
DOCS_FILES = ("page.css", "page.js", "calls.js", "elements.js", "schemas.js")
"""What the page at `server.docs_path` loads, from below that path."""


class OwnRoute(NamedTuple):
    """A path that the gateway answers itself. `setting` is the field of `server` that has it."""

    id: str
    path: str
    setting: str


class Config(Section):
    """A gateway's configuration: the names are those of the YAML file, durations in seconds, sizes in bytes."""

    version: Version = Field(description="Format of this file, not of the product.")
    include: Many[str] = Field(
        default=(), description="Files to read as well, relative to this one; `*` and `?` stand for names."
    )
    server: ServerSettings = section(ServerSettings, "The processes and their listeners.")
    admin: AdminSettings = section(AdminSettings, "The second listener, for operators.")
    redis: RedisSettings | None = Field(
        default=None, description="The store that gateways share for limits. Left out: limits in memory, one worker."
    )
    auth: Auth = section(Auth, "How callers say who they are.")
    organizations: Many[Organization] = Field(default=(), description="Whom keys belong to.")
    plans: Many[Plan] = Field(default=(), description="What callers are entitled to.", validate_default=True)
    # What the file has under `keys` is a list or says where they are: the one or the other is empty.
    keys: Annotated[KeyList, BeforeValidator(lambda written: () if isinstance(written, dict) else written)] = Field(
        default_factory=KeyList, description="The callers."
    )
    key_store: Annotated[
        KeyStoreSettings | None,
        BeforeValidator(
            lambda written: written if isinstance(written, dict) else None,
            json_schema_input_type=list[KeySettings] | KeyStoreSettings,
        ),
    ] = Field(default=None, validation_alias="keys", description="The callers, or where they are.")
    upstreams: Many[UpstreamSettings] = Field(default=(), description="The services behind the gateway.")
    defaults: Defaults = section(Defaults, "What every route inherits, and may override field by field.")
    routes: Many[RouteSettings] = Field(
        default=(), description="The ways through the gateway. Their order means nothing."
    )
    errors: dict[str, ErrorOverride] = Field(
        default_factory=dict,
        json_schema_extra={"propertyNames": {"enum": list(CATALOGUE)}},
        description="Overrides by the name of the fault (`gateway errors` lists them).",
    )
    observability: Observability = section(Observability, "Logs, metrics, request ids, traces, usage, captures.")

    @field_validator("plans")
    @classmethod
    def _with_built_in(cls, plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
        declared = {plan.id for plan in plans}
        return (*plans, *(plan for plan in BUILT_IN_PLANS if plan.id not in declared))

    def plan_of(self, caller: KeySettings | RouteSettings) -> Plan:
        """Return the plan of a key, or of the client addresses on an open route."""
        wanted = caller.plan or "anonymous"
        return next(plan for plan in self.plans if plan.id == wanted)

    def plan_limits(self, plan: str) -> tuple[PlanLimit, ...]:
        """Return the limits of the plan with that id; none if there is no such plan."""
        return next((known.limits for known in self.plans if known.id == plan), ())

    def limits_of(self, key: KeySettings) -> tuple[Limit, ...]:
        """Return the limits of a key: its plan's and its own, which replace the plan's of the same id or are added."""
        own = {limit.id: limit for limit in key.limits}
        return (*(own.pop(limit.id, limit) for limit in self.plan_limits(key.plan)), *own.values())

    def ways_without_redis(self) -> frozenset[OnFailure]:
        """Return all that limits do while Redis is away; nothing without Redis.

        With `deny` among them some callers are refused then.
        """
        if self.redis is None:
            return frozenset()
        owners: tuple[Plan | Organization | KeySettings | RouteSettings, ...] = (
            *self.plans,
            *self.organizations,
            *self.keys.plain,
            *self.routes,
        )
        return frozenset(
            limit.on_failure or self.redis.on_failure for owner in owners for limit in owner.limits if not limit.shadow
        )

    def key_count(self) -> int | None:
        """Return how many keys there are, None where they are in Redis."""
        return len(self.keys) if self.key_store is None else None

    def route_ids(self) -> frozenset[str]:
        """Return the ids of routes in logs and metrics: those of `routes`, and of the gateway's own routes."""
        return frozenset((*(route.id for route in self.routes), *(each.id for each in self.own_paths())))

    def own_paths(self) -> tuple[OwnRoute, ...]:
        """Return what the gateway answers itself."""
        server = self.server
        own: list[OwnRoute] = []
        if server.limits_path is not None:
            own.append(OwnRoute(LIMITS_ROUTE, server.limits_path, "limits_path"))
        if (below := server.self_service_path) is not None:
            own += [OwnRoute(SELF_SERVICE_ROUTE, below, "self_service_path")]
            own += [OwnRoute(ROTATION_ROUTE, f"{below.rstrip('/')}/rotate", "self_service_path")]
        if server.openapi_path is not None:
            as_yaml = server.openapi_path.removesuffix("json") + "yaml"
            own += [OwnRoute(OPENAPI_ROUTE, path, "openapi_path") for path in (server.openapi_path, as_yaml)]
        if server.docs_path is not None:
            below = server.docs_path.rstrip("/")
            paths = (server.docs_path, *(f"{below}/{name}" for name in DOCS_FILES))
            own += [OwnRoute(DOCS_ROUTE, path, "docs_path") for path in paths]
        return tuple(own)

    def admin_addresses(self) -> AddressRules | None:
        """Return who may ask the admin listener, None for everybody."""
        return address_rules(self.admin.allow, self.admin.deny)

    def admin_token(self) -> str | None:
        """Return what a change over the admin listener needs, None where no change is allowed."""
        return None if self.admin.token is None else self.admin.token.get_secret_value()

    def addresses_of(self, route: RouteSettings) -> tuple[tuple[Network, ...], tuple[Network, ...]]:
        """Return the addresses that may call a route, and those that may not. The former are empty for all."""
        allow = self.defaults.allow if route.allow is None else route.allow
        return allow, tuple(dict.fromkeys((*self.defaults.deny, *route.deny)))

    def upstream_of(self, route: RouteSettings) -> UpstreamSettings:
        return next(upstream for upstream in self.upstreams if upstream.id == route.upstream)

    def upstreams_of(self, route: RouteSettings) -> list[UpstreamSettings]:
        """All that its calls and their copies go to, first the one that stands for all."""
        named = {route.upstream, *(part.upstream for part in route.split)}
        named |= set() if route.mirror is None else {route.mirror.upstream}
        return sorted((each for each in self.upstreams if each.id in named), key=lambda each: each.id != route.upstream)

    def envelope_of(self, route: RouteSettings) -> EnvelopeSettings:
        """Return the route's envelope, `defaults` filled in."""
        return self.defaults.envelope.model_copy(update=route.envelope.model_dump(exclude_none=True))

    def cors_of(self, route: RouteSettings) -> CorsSettings:
        """Return the route's rules for pages in browsers, `defaults` filled in."""
        return route.cors.over(self.defaults.cors)

    def compression_of(self, route: RouteSettings) -> CompressionSettings:
        """Return the route's compression, `defaults` filled in."""
        return self.defaults.compression.model_copy(update=route.compression.model_dump(exclude_none=True))

    def headers_of(self, route: RouteSettings) -> RouteHeaders:
        """Return the route's rules for header fields, and those of `defaults` that it has none for."""
        own, inherited = route.headers, self.defaults.headers
        return RouteHeaders.model_construct(
            request=own.request.over(inherited.request), response=own.response.over(inherited.response)
        )

    def timeouts_of(self, route: RouteSettings) -> Timeouts:
        """Return the route's time-outs: its own, else those of `defaults`, else those of its upstream."""
        own, inherited = (
            route.timeouts.model_dump(exclude_none=True),
            self.defaults.timeouts.model_dump(exclude_none=True),
        )
        return self.upstream_of(route).timeouts.model_copy(update=inherited | own)


LISTS = ("organizations", "plans", "keys", "upstreams", "routes")
"""Sections that are lists of things with an `id`."""
