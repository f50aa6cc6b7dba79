"""`upstreams`: the services behind, where they are and when they are left alone."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from gateway.settings.schema.balancing import LoadBalancing, spelled_out
from gateway.settings.schema.health import Health
from gateway.settings.schema.retry import HedgeSettings, RetrySettings
from gateway.settings.schema.types import (
    Id,
    Many,
    PositiveDuration,
    Section,
    ServerName,
    TargetUrlValue,
    default,
    section,
)
from gateway.settings.schema.values import RefusedError


class TargetSettings(Section):
    """One address of an upstream."""

    url: TargetUrlValue = Field(
        description="`http://` or `https://`, host, port, and a path that is put before every other if needed."
    )
    weight: int = Field(default=1, ge=1, le=1000, description="Share of the requests among several targets.")
    priority: int = Field(
        default=0, ge=0, le=100, description="Called only while too few targets with a lower number are up."
    )


class Connections(Section):
    """The pool of connections to a target."""

    max: int = Field(
        default=256, ge=1, le=65536, description="Most connections at once, of each worker to each target."
    )
    max_pending: int = Field(
        default=1024, ge=0, le=1_000_000, description="Most requests that wait for one of them; more get 503 at once."
    )
    max_caller_percent: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Share of `max` that one caller may hold; its further requests wait for its own to end. 100: all. "
        "A caller is a key, or an address on a route without keys.",
    )
    max_stream_percent: int = Field(
        default=75,
        ge=1,
        le=100,
        description="Share of `max` for bodies that are passed on while they arrive, in either direction; more get "
        "503. 100: all.",
    )
    idle_timeout: PositiveDuration = default("30s", "An unused connection is closed after this long.")
    max_age: PositiveDuration = default("5m", "A connection gets no more requests after this long, and is closed.")


class Timeouts(Section):
    """How long an upstream may take."""

    connect: PositiveDuration = default(
        "1s", "Until a connection stands, TLS included. Of several targets the first one tried has half of it."
    )
    first_byte: PositiveDuration = default("10s", "From the request sent to the first byte of the reply.")
    total: PositiveDuration = default("30s", "The whole exchange with the upstream, unless its reply is streamed.")
    idle: PositiveDuration | None = Field(
        default=None,
        description="How long the upstream may be silent within a reply that is streamed. Left out: 60s, and 10m "
        "for server-sent events and WebSockets.",
    )

    @property
    def idle_s(self) -> float:
        """The idle time-out in seconds of everything that is streamed, except events."""
        return 60.0 if self.idle is None else self.idle

    @property
    def events_idle_s(self) -> float:
        """The idle time-out in seconds of streams of events, which are often silent and end by themselves."""
        return 600.0 if self.idle is None else self.idle


class UpstreamTls(Section):
    """How an upstream's https is checked. Paths are relative to the file they stand in."""

    ca: str | None = Field(default=None, description="PEM file of the authorities to trust, instead of the system's.")
    certificate: str | None = Field(default=None, description="PEM file of the certificate that the gateway shows.")
    private_key: str | None = Field(
        default=None, description="PEM file of its private key, unless `certificate` holds it."
    )
    verify: bool = Field(default=True, description="Check the upstream's certificate and name.")
    server_name: ServerName | None = Field(
        default=None, description="Name to ask for and to check, if not the URL's host."
    )

    @model_validator(mode="after")
    def _of_use(self) -> "UpstreamTls":
        if self.private_key is not None and self.certificate is None:
            raise RefusedError("`private_key` is of no use without `certificate`")
        if self.ca is not None and not self.verify:
            raise RefusedError("`ca` is of no use with `verify: false`")
        return self


class OutlierDetection(Section):
    """When one of several targets is left alone because it does not answer."""

    consecutive_failures: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="Calls in a row that a target did not answer; then it is ejected. 0: never.",
    )
    base_ejection_time: PositiveDuration = default(
        "10s", "How long, the first time; twice as long each time until it answers."
    )
    max_ejection_time: PositiveDuration = default("5m", "The longest that becomes.")
    max_ejection_percent: int = Field(
        default=100,
        ge=0,
        le=100,
        description="Most targets that are ejected at once; one may always be, but never the last.",
    )

    @model_validator(mode="after")
    def _ascending(self) -> "OutlierDetection":
        if self.max_ejection_time < self.base_ejection_time:
            raise RefusedError("`max_ejection_time` is shorter than `base_ejection_time`")
        return self


class CircuitBreakerSettings(Section):
    """When an upstream is not called any more, because it does not answer."""

    consecutive_failures: int = Field(
        default=10, ge=1, le=1000, description="Calls in a row that it did not answer; then all get 503 at once."
    )
    base_open_time: PositiveDuration = default(
        "5s", "How long, the first time; then one call tries. Twice as long each time until one is answered."
    )
    max_open_time: PositiveDuration = default("1m", "The longest that becomes.")

    @model_validator(mode="after")
    def _ascending(self) -> "CircuitBreakerSettings":
        if self.max_open_time < self.base_open_time:
            raise RefusedError("`max_open_time` is shorter than `base_open_time`")
        return self


class AdaptiveConcurrencySettings(Section):
    """The number of calls that it serves at once, found out from how long they take. Each worker has its own."""

    min: int = Field(default=10, ge=1, le=100_000, description="The least that the limit may become; it begins there.")
    max: int = Field(default=1000, ge=1, le=100_000, description="The most that it may become.")
    max_wait: PositiveDuration = default("500ms", "How long a call waits for its turn; then it gets 503.")

    @model_validator(mode="after")
    def _ascending(self) -> "AdaptiveConcurrencySettings":
        if self.max < self.min:
            raise RefusedError("`max` is less than `min`")
        return self


class UpstreamSettings(Section):
    """A service behind the gateway."""

    id: Id = Field(description="What routes refer to.")
    targets: Annotated[Many[TargetSettings], Field(min_length=1)] = Field(description="Its addresses.")
    connections: Connections = section(Connections, "The pool of connections to each target.")
    timeouts: Timeouts = section(Timeouts, "How long it may take.")
    tls: UpstreamTls = section(UpstreamTls, "How its https is checked.")
    outlier_detection: OutlierDetection = section(OutlierDetection, "When one of several targets is left alone.")
    health: Health | None = Field(default=None, description="How its targets are checked. Left out: they are not.")
    load_balancing: Annotated[
        LoadBalancing,
        BeforeValidator(spelled_out, json_schema_input_type=Literal["least_request", "round_robin"] | LoadBalancing),
    ] = section(LoadBalancing, "Which of several targets gets a call.")
    retry: RetrySettings | None = Field(
        default=None,
        description="When calls are sent again. Left out: a call that is not answered goes to other targets, up to "
        "three in all.",
    )
    hedge: HedgeSettings | None = Field(
        default=None,
        description="When a call goes to a second target because the first one is slow. Left out: it waits.",
    )
    adaptive_concurrency: AdaptiveConcurrencySettings | None = Field(
        default=None, description="How many calls it serves at once. Left out: as many as there are connections."
    )
    breaker: CircuitBreakerSettings | None = Field(
        default=None, description="When it is not called any more. Left out: it is always tried."
    )
