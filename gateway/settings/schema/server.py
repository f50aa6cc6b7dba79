"""`server`, `admin`, `redis`, `observability`: the process and what it talks to."""

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from gateway.settings.schema.types import (
    Address,
    Duration,
    HeaderName,
    Id,
    Many,
    Network,
    PositiveDuration,
    RedisUrl,
    Section,
    Size,
    Token,
    Workers,
    default,
    section,
)
from gateway.settings.schema.values import RefusedError


class Limits(Section):
    """How much a client may send, and how slowly."""

    header_bytes: Size = default("16KiB", "Largest request line and header section; larger ones get 431.")
    url_bytes: Size = default("8KiB", "Longest URL; longer ones get 414.")
    body: Size = default("10MiB", "Largest request body; larger ones get 413.")
    header_timeout: PositiveDuration = default("10s", "A request's head has arrived by then, or gets 408.")
    body_timeout: PositiveDuration = default("30s", "A request body has arrived by then, or comes at 16 KiB a second; slower ones get 408.")
    idle_timeout: PositiveDuration = default("75s", "A connection without a request is closed after this long.")


class Listener(Section):
    """One address where clients are served."""

    LATER: ClassVar[frozenset[str]] = frozenset({"tls", "proxy_protocol", "redirect"})

    id: Id = Field(default="public", description="Name of the listener, for logs and metrics.")
    address: Address = default("127.0.0.1:8080", "`host:port`; port 0 lets the system choose.")
    trusted_proxies: Many[Network] = Field(
        default=(), description="Address ranges of the proxies in front. Only these may set X-Forwarded-* and Forwarded."
    )
    limits: Limits = section(Limits, "How much a client may send, and how slowly.")


class Server(Section):
    """The processes and their listeners."""

    workers: Workers = Field(
        default=1, description="Number of worker processes; `auto` fits it to the machine.", json_schema_extra={"default": "auto"}
    )
    drain_delay: Duration = default("5s", "Keep accepting this long after /readyz fails: lists of endpoints lag.")
    drain_timeout: Duration = default("30s", "Requests in flight at the end of `drain_delay` finish within this.")
    listeners: Annotated[Many[Listener], Field(min_length=1)] = Field(
        default_factory=lambda: (Listener(),), description="Where clients are served."
    )


class Admin(Section):
    """The second listener, for operators: /healthz, /readyz, /metrics."""

    LATER: ClassVar[frozenset[str]] = frozenset({"tls"})

    address: Address = default("127.0.0.1:9901", "`host:port` of health, readiness and metrics.")
    token: Token | None = Field(default=None, description="Asked for by whatever changes something. Left out, nothing can be changed.")


class Redis(Section):
    """The store that gateways share for limits."""

    url: RedisUrl = Field(
        description=(
            "`redis://host:port/database`, `redis+sentinel://host:port,host:port/service/database`, "
            "`redis+cluster://host:port,host:port` or `unix:///path`; `user:password@` before the hosts, `rediss` for TLS."
        )
    )
    key_prefix: str = Field(default="gw", pattern=r"^[A-Za-z0-9._:-]{1,64}$", description="First part of every key written to Redis.")
    timeout: PositiveDuration = default("50ms", "The whole budget of one decision, connecting included.")
    on_failure: Literal["local", "allow", "deny"] = Field(
        default="local",
        description="While Redis is away: `local` counts this gateway's share in memory, `allow` does not limit, `deny` answers 503.",
    )


class Log(Section):
    """What is written to standard output."""

    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: JSON unless standard output is a terminal, then for people (`console`)."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least severe that is written.")
    access: bool = Field(default=True, description="One line for every request.")


class Metrics(Section):
    """What /metrics shows."""

    buckets: Annotated[Many[PositiveDuration], Field(min_length=1, max_length=64)] = default(
        ["5ms", "10ms", "25ms", "50ms", "75ms", "100ms", "250ms", "500ms", "750ms", "1s", "2.5s", "5s", "7.5s", "10s"],
        "Upper bounds of the buckets of every duration, ascending.",
    )

    @field_validator("buckets")
    @classmethod
    def _ascending(cls, buckets: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(buckets)):
            raise RefusedError("the bounds of buckets ascend")
        return buckets


class RequestId(Section):
    """How a request is named everywhere."""

    header: HeaderName = Field(default="X-Request-Id", description="Carries the request id to the client and to the upstream.")


class Observability(Section):
    """Logs, metrics, request ids."""

    LATER: ClassVar[frozenset[str]] = frozenset({"traces", "tracing"})

    log: Log = section(Log, "What is written to standard output.")
    metrics: Metrics = section(Metrics, "What /metrics shows.")
    request_id: RequestId = section(RequestId, "How a request is named everywhere.")
