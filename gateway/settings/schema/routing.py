"""`defaults`, `routes`, `errors`: which way requests go, and how answers come back."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from gateway.settings.schema.balancing import MirrorSettings, SplitPart, either_upstream, with_first_of_split
from gateway.settings.schema.contracts import RequestSettings, ResponseSettings
from gateway.settings.schema.cors import CorsOverrides, CorsSettings
from gateway.settings.schema.limits import Cost, RouteLimit
from gateway.settings.schema.maintenance import MaintenanceSettings
from gateway.settings.schema.replies import (
    CacheSettings,
    CompressionOverrides,
    CompressionSettings,
    EnvelopeOverrides,
    EnvelopeSettings,
    IdempotencySettings,
)
from gateway.settings.schema.retry import RetryOverrides
from gateway.settings.schema.types import (
    AddressRange,
    HeaderName,
    HeaderNames,
    HeaderValue,
    HostPattern,
    Href,
    Id,
    Many,
    Method,
    PathPattern,
    PathPrefix,
    PositiveDuration,
    Section,
    default,
    section,
)
from gateway.settings.schema.values import RefusedError


class TimeoutOverrides(Section):
    """Time-outs that differ from those of the upstream."""

    connect: PositiveDuration | None = Field(default=None, description="Until a connection stands, TLS included.")
    first_byte: PositiveDuration | None = Field(
        default=None, description="From the request sent to the first byte of the reply."
    )
    total: PositiveDuration | None = Field(
        default=None, description="The whole exchange with the upstream, unless its reply is streamed."
    )
    idle: PositiveDuration | None = Field(
        default=None, description="How long the upstream may be silent within a reply that is streamed."
    )


class Match(Section):
    """Which requests a route takes. Exactly one of `path` and `prefix`."""

    LATER: ClassVar[frozenset[str]] = frozenset({"hosts", "query"})

    path: PathPattern | None = Field(
        default=None, description="The whole path. `{name}` is one segment, `{rest*}` at the end all that is left."
    )
    prefix: PathPrefix | None = Field(default=None, description="This path and everything below it.")
    methods: Annotated[Many[Method], Field(min_length=1)] = Field(
        default=("GET", "POST", "PUT", "PATCH", "DELETE"), description="HEAD comes with GET."
    )
    host: HostPattern | None = Field(default=None, description="`api.example.com` or `*.example.com`. Left out: any.")
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, description="Fields that it has, with values.")
    listener: Id | None = Field(default=None, description="Id of the listener that it came to. Left out: any.")

    @property
    def served(self) -> tuple[str, ...]:
        """Its methods, and HEAD where GET is one of them."""
        return tuple(dict.fromkeys((*self.methods, *(("HEAD",) if "GET" in self.methods else ()))))

    @model_validator(mode="after")
    def _one_of_two(self) -> "Match":
        if (self.path is None) == (self.prefix is None):
            raise RefusedError("exactly one of `path` and `prefix` is wanted here")
        return self


class Rewrite(Section):
    """How the path changes on its way to the upstream."""

    strip_prefix: PathPrefix | None = Field(default=None, description="Taken away from the front of the path.")
    add_prefix: PathPrefix | None = Field(default=None, description="Put before the path, after `strip_prefix`.")


FRAMING = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Header fields of one connection, in lower case. The gateway writes them itself."""


class HeaderRules(Section):
    """Header fields changed on the way. `set` replaces every field of that name."""

    set: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="Name and value; replaces what was there."
    )
    remove: Many[HeaderNames] = Field(
        default=(), description="Names, without regard to case. `X-Internal-*` stands for all that begin so."
    )

    @model_validator(mode="after")
    def _sound(self) -> "HeaderRules":
        seen: dict[str, str] = {}
        for name in (*self.set, *(self.remove if "remove" in self.model_fields_set else ())):
            if name.lower() in FRAMING:
                raise RefusedError(f"`{name}` belongs to the connection; the gateway writes it itself")
            if name.lower() in seen:
                raise RefusedError(f"`{name}` stands here twice")
            seen[name.lower()] = name
        return self

    def over(self, inherited: "HeaderRules") -> "HeaderRules":
        """Return these rules, and those of `inherited` for other fields."""
        own = {name.lower() for name in (*self.set, *self.remove)}
        kept = {
            name: value for name, value in inherited.set.items() if not any(_names(rule, name.lower()) for rule in own)
        }
        removed = [name for name in inherited.remove if name.lower() not in own]
        return HeaderRules.model_construct(set=kept | self.set, remove=(*removed, *self.remove))


def _names(rule: str, name: str) -> bool:
    return rule == name or (rule.endswith("*") and name.startswith(rule[:-1]))


class RouteHeaders(Section):
    """Header fields changed on the way."""

    request: HeaderRules = section(HeaderRules, "On the way to the upstream.")
    response: HeaderRules = section(HeaderRules, "On the way back to the client, on the gateway's own replies too.")


class DefaultResponseRules(HeaderRules):
    """Header fields changed on the way back.

    Which software serves is nobody's business, unless `remove` says otherwise.
    """

    remove: Many[HeaderNames] = default(
        ["Server", "X-Powered-By", "X-AspNet-Version", "X-AspNetMvc-Version"],
        "Names, without regard to case. `X-Internal-*` stands for all that begin so, `[]` removes nothing.",
    )


class DefaultHeaders(Section):
    """Header fields that every route changes, unless it has a rule of its own for them."""

    request: HeaderRules = section(HeaderRules, "On the way to the upstream.")
    response: DefaultResponseRules = section(
        DefaultResponseRules, "On the way back to the client, on the gateway's own replies too."
    )


class Defaults(Section):
    """What every route inherits, and may override field by field."""

    envelope: EnvelopeSettings = section(EnvelopeSettings, "How replies are put into the envelope.")
    timeouts: TimeoutOverrides = section(TimeoutOverrides, "Time-outs that differ from those of the upstream.")
    maintenance: MaintenanceSettings | None = Field(
        default=None, description="All routes are under maintenance, but for those with a `maintenance` of their own."
    )
    headers: DefaultHeaders = section(
        DefaultHeaders, "Header fields that every route changes, unless it has a rule of its own for them."
    )
    allow: Many[AddressRange] = Field(default=(), description="Addresses that may call. Left out: all.")
    deny: Many[AddressRange] = Field(default=(), description="Addresses that may not call, on any route.")
    cors: CorsSettings = section(CorsSettings, "Which pages in browsers may call, and what of replies they may read.")
    compression: CompressionSettings = section(
        CompressionSettings, "How replies are compressed for clients that accept it."
    )


class RouteSettings(Section):
    """One way through the gateway. The most specific match wins: literal, then `{name}`, then `{rest*}` and prefix."""

    model_config = ConfigDict(json_schema_extra=either_upstream)
    LATER: ClassVar[frozenset[str]] = frozenset({"quotas", "concurrency", "retries", "request_schema"})

    id: Id = Field(description="Names the route in logs and metrics, and for the `routes` of keys.")
    match: Match = Field(description="Which requests it takes.")
    upstream: Id = Field(description="Where they go, unless `split` says so.")
    split: Many[SplitPart] = Field(
        default=(),
        description="Upstreams that share the callers, each always with the same one. The first has the time-outs.",
    )
    mirror: MirrorSettings | None = Field(default=None, description="Where copies of calls go.")
    auth: Literal["key", "none"] = Field(default="key", description="`none`: no key asked, limited per client address.")
    plan: Id | None = Field(
        default=None,
        description="Only with `auth: none`: the plan of each client address. Left out: `anonymous`, which is built "
        "in (300 per minute).",
    )
    limits: Many[RouteLimit] = Field(
        default=(), description="On top of the limits of the caller's plan and organisation."
    )
    cost: Cost = Field(
        default_factory=dict,
        description="Tokens that a call takes from each of its limits: a number, or one by method. `default`, or "
        "left out: 1. 0 is free.",
    )
    request: RequestSettings | None = Field(
        default=None, description="What its requests are like. Left out: nothing is checked."
    )
    response: ResponseSettings | None = Field(
        default=None, description="What the replies of its service are like. Left out: nothing is checked."
    )
    rewrite: Rewrite = section(Rewrite, "How the path changes on its way to the upstream.")
    error_family: Literal["general", "analytics", "notification"] = Field(
        default="general", description="Which codes stand for undefined errors: 1004, 5000 and 5001, or 7000."
    )
    headers: RouteHeaders = section(RouteHeaders, "Header fields changed on the way.")
    envelope: EnvelopeOverrides = section(EnvelopeOverrides, "What differs from `defaults.envelope`.")
    timeouts: TimeoutOverrides = section(
        TimeoutOverrides, "Time-outs that differ from those of `defaults` and the upstream."
    )
    retry: RetryOverrides = section(RetryOverrides, "What differs from `retry` of the upstream.")
    maintenance: MaintenanceSettings | None = Field(
        default=None, description="Calls are answered 503 for a while. Left out: as `defaults` have it."
    )
    upgrade: Many[Literal["websocket"]] = Field(
        default=(), description="Protocols that clients may switch to: `[websocket]`. Left out: none, they get 426."
    )
    allow: Many[AddressRange] | None = Field(
        default=None, description="Addresses that may call. Left out: as `defaults` have it; `[]`: all."
    )
    deny: Many[AddressRange] = Field(
        default=(), description="Addresses that may not, whatever `allow` says, besides those of `defaults`."
    )
    cors: CorsOverrides = section(CorsOverrides, "What differs from `defaults.cors`.")
    compression: CompressionOverrides = section(CompressionOverrides, "What differs from `defaults.compression`.")
    cache: CacheSettings | None = Field(
        default=None,
        description="Which replies are kept, for how long, and for whom. Left out: none.",
    )
    idempotency: IdempotencySettings | None = Field(
        default=None,
        description="POST and PATCH with an idempotency key reach the service once. Left out: as often as they come.",
    )

    @model_validator(mode="before")
    @classmethod
    def _first_of_split(cls, written: object) -> object:
        return with_first_of_split(written)

    @model_validator(mode="after")
    def _plan_for_open_routes(self) -> "RouteSettings":
        if self.plan is not None and self.auth == "key":
            raise RefusedError("`plan` is for routes with `auth: none`; elsewhere the key has the plan")
        return self

    def cost_of(self, method: str) -> int:
        """Return the cost of a call in tokens. HEAD costs what GET does, unless it is named."""
        named = self.cost.get(method, self.cost.get("GET") if method == "HEAD" else None)
        return self.cost.get("default", 1) if named is None else named

    def limits_of(self, method: str) -> tuple[RouteLimit, ...]:
        """Return the limits of a method. Those of GET hold for HEAD, too."""
        meant = {method, "GET"} if method == "HEAD" else {method}
        return tuple(limit for limit in self.limits if limit.methods is None or meant.intersection(limit.methods))


class ErrorLink(Section):
    """Where to read more."""

    href: Href = Field(description="URL.")
    title: str = Field(min_length=1, description="What is found there.")


class ErrorOverride(Section):
    """What the gateway answers instead of a fault's own words."""

    status: int | None = Field(default=None, ge=400, le=599, description="HTTP status.")
    code: int | None = Field(default=None, ge=1, le=99999, description="The envelope's `code`.")
    message: str | None = Field(default=None, min_length=1, description="The envelope's `message`.")
    developer_message: str | None = Field(default=None, min_length=1, description="The envelope's `developerMessage`.")
    links: Many[ErrorLink] | None = Field(default=None, description="The envelope's `links`.")
