"""`auth`, `organizations`, `plans`, `keys`: who may call, and how often."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from gateway.settings.schema.limits import KeyLimit, OrganizationLimit, PlanLimit
from gateway.settings.schema.quotas import MAX_UNITS, Concurrency, Quota
from gateway.settings.schema.types import (
    AddressRange,
    Digest,
    HeaderName,
    Id,
    IdPattern,
    Instant,
    Many,
    Method,
    PageOrigin,
    QueryName,
    Section,
    Subject,
    section,
)


class KeyLocations(Section):
    """Where a request carries its key."""

    header: HeaderName = Field(
        default="X-Api-Key", description="Header field that carries the key. It wins over the URL."
    )
    query: QueryName = Field(default="X-Api-Key", description="Query parameter that carries the key.")


class CallerHeaders(Section):
    """How the upstream is told who calls."""

    id: HeaderName = Field(default="X-Caller-Id", description="Carries the id of the key.")
    organization: HeaderName = Field(
        default="X-Caller-Organization", description="Carries the organisation that the request is for."
    )
    plan: HeaderName = Field(default="X-Caller-Plan", description="Carries the id of the plan.")
    certificate_subject: HeaderName = Field(
        default="X-Client-Certificate-Subject",
        description="Carries the subject of the certificate that the client has shown (RFC 4514).",
    )


class Auth(Section):
    """How callers say who they are, and how upstreams are told."""

    key: KeyLocations = section(KeyLocations, "Where a request carries its key.")
    organization_header: HeaderName = Field(
        default="X-Tenant-Org-Id", description="Header field in which a caller chooses another of its organisations."
    )
    caller_headers: CallerHeaders = section(CallerHeaders, "Header fields that tell the upstream who calls.")


class Organization(Section):
    """Whom keys belong to."""

    LATER: ClassVar[frozenset[str]] = frozenset({"plan", "quotas"})

    id: Id = Field(description="What X-Tenant-Org-Id says and the upstream is told.")
    name: str = Field(default="", description="For people.")
    disabled: bool = Field(default=False, description="Its callers get 403 with code 8007.")
    limits: Many[OrganizationLimit] = Field(
        default=(), description="What all its keys together may, on top of the limits of their plans."
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=MAX_UNITS,
        description="How many calls of all its keys may be in flight at once, in all gateways together.",
    )


class Plan(Section):
    """What a caller is entitled to."""

    LATER: ClassVar[frozenset[str]] = frozenset({"cost"})

    id: Id = Field(description="What keys refer to, and the upstream is told.")
    limits: Many[PlanLimit] = Field(description="All of them hold at once. `[]` is no limit.")
    priority: int = Field(
        default=0,
        ge=-100,
        le=100,
        description="Whose calls go first, higher before lower, where an upstream with `adaptive_concurrency` is at "
        "its limit.",
    )
    quotas: Many[Quota] = Field(default=(), description="What a caller may do in all, on some routes.")
    concurrency: Concurrency | None = Field(
        default=None, description="How many calls may be in flight at once, in all gateways together."
    )


class KeySettings(Section):
    """A caller. The key itself is not written here, only its digest."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [{"anyOf": [{"required": ["secret_sha256"]}, {"required": ["certificate_subject"]}]}]
        }
    )
    LATER: ClassVar[frozenset[str]] = frozenset({"concurrency", "quotas"})

    id: Id = Field(description="Names the caller in logs, metrics and to the upstream.")
    secret_sha256: Digest | None = Field(
        default=None,
        description="SHA-256 of the key, 64 lower-case hexadecimal digits. Left out: only a certificate will do.",
    )
    certificate_subject: Subject | None = Field(
        default=None,
        description="Subject of the certificate with which the caller needs no secret, as `openssl x509 -noout "
        "-subject -nameopt RFC2253` "
        "prints it. Needs a listener with `client_ca`.",
    )
    organizations: Many[Id] = Field(
        default=(), description="Organisations it may act for. The first one is the default."
    )
    plan: Id = Field(
        default="standard", description="Its plan. `standard` is built in (300 per minute) unless `plans` declares it."
    )
    limits: Many[KeyLimit] = Field(
        default=(),
        description="Its own limits: in place of the limit of its plan that has the same id, and on top of the others.",
    )
    routes: Annotated[Many[IdPattern], Field(min_length=1)] | None = Field(
        default=None, description="Ids of routes or patterns such as `encoding.*`. Left out: all."
    )
    methods: Annotated[Many[Method], Field(min_length=1)] | None = Field(default=None, description="Left out: all.")
    expires: Instant | None = Field(
        default=None, description="Not valid from this instant on: RFC 3339 with an offset. Left out: never."
    )
    disabled: bool = Field(default=False, description="Calls with it get 403 with code 8007.")
    allow: Many[AddressRange] = Field(
        default=(), description="Addresses of clients from which it is valid, such as `10.0.0.0/8`. Left out: all."
    )
    deny: Many[AddressRange] = Field(default=(), description="Addresses from which it is not, whatever `allow` says.")
    referrers: Many[PageOrigin] = Field(
        default=(),
        description="Origins of the pages that it is for, as in `cors.origins`, by the Origin or Referer of a request. "
        "Left out: for everybody.",
    )


class KeyStoreSettings(Section):
    """Where keys are that do not stand in this file."""

    store: Literal["redis"] = Field(
        description="In place of the list. `redis`: keys are made, changed and taken back by `gateway keys`, "
        "without a reload."
    )


_PER_MINUTE = (PlanLimit.model_construct(id="minute", max=300, per=60.0),)

BUILT_IN_PLANS = (
    Plan.model_construct(id="standard", limits=_PER_MINUTE),
    Plan.model_construct(id="anonymous", limits=_PER_MINUTE),
)
"""Plans in force unless the configuration declares one of that id: for keys, and for client addresses on open routes.
"""
