"""`server`, `admin`, `redis`: the process and what it talks to."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from gateway.kernel.limits.token_bucket import OnFailure
from gateway.net.address import Address as TcpAddress
from gateway.net.redis_url import with_login
from gateway.settings.schema.types import (
    AddressRange,
    AddressValue,
    DocumentPath,
    Duration,
    Id,
    ListenAddress,
    Many,
    OwnPath,
    Password,
    PasswordFile,
    PositiveDuration,
    RedisUrlValue,
    Section,
    ServerName,
    Size,
    Token,
    TrustedProxy,
    Workers,
    default,
    section,
)
from gateway.settings.schema.values import RefusedError


class ListenerLimits(Section):
    """How much a client may send, and how slowly."""

    header_bytes: Size = default("16KiB", "Largest request line and header section; larger ones get 431.")
    url_bytes: Size = default("8KiB", "Longest URL; longer ones get 414.")
    body: Size = default("10MiB", "Largest request body; larger ones get 413.")
    header_timeout: PositiveDuration = default("10s", "A request's head has arrived by then, or gets 408.")
    body_timeout: PositiveDuration = default(
        "30s", "A request body has arrived by then, or comes at 16 KiB a second; slower ones get 408."
    )
    idle_timeout: PositiveDuration = default("75s", "A connection without a request is closed after this long.")
    connections: int | None = Field(
        default=None,
        ge=1,
        description="Most connections at once, for each worker; who comes beyond gets 503. Left out: as many as "
        "there are descriptors for.",
    )


class CertificatePair(Section):
    """A certificate that clients are shown, and its key. Paths are relative to the file they stand in."""

    certificate: str = Field(description="PEM file of the certificate, followed by those between it and its authority.")
    private_key: str | None = Field(
        default=None, description="PEM file of its private key, unless `certificate` holds it."
    )


class ListenerTls(Section):
    """https. Files are read again when they change; a pair that does not fit leaves the one before in force."""

    certificates: Annotated[Many[CertificatePair], Field(min_length=1)] = Field(
        description="Chosen by the names that they are for, `*.example.com` included. The first is for everybody else."
    )
    min_version: Literal["1.2", "1.3"] = Field(default="1.2", description="Lowest version of TLS that is spoken.")
    client_ca: str | None = Field(
        default=None,
        description="PEM file of the authorities of clients' certificates. Left out, clients are asked for none.",
    )
    client_auth: Literal["required", "optional"] = Field(
        default="required",
        description="With `client_ca`: whether a client may come without a certificate. A wrong one is always refused.",
    )
    handshake_timeout: PositiveDuration = default("10s", "TLS stands by then, or the connection is closed.")

    @model_validator(mode="after")
    def _of_use(self) -> "ListenerTls":
        if "client_auth" in self.model_fields_set and self.client_ca is None:
            raise RefusedError("`client_auth` is of no use without `client_ca`")
        return self


class ListenerSettings(Section):
    """One address where clients are served."""

    id: Id = Field(default="public", description="Name of the listener, for logs and metrics.")
    address: ListenAddress = default(
        "127.0.0.1:8080", "`host:port`, where port 0 lets the system choose, or `unix:/path`."
    )
    mode: str = Field(
        default="0660",
        pattern="^0?[0-7]{3}$",
        description="Permission bits of a unix socket: who may connect needs to write.",
    )
    trusted_proxies: Many[TrustedProxy] = Field(
        default=(),
        description="Address ranges of the proxies in front; `unix` is whoever comes through a unix socket. "
        "Only these may set X-Forwarded-* and Forwarded.",
    )
    proxy_protocol: bool = Field(
        default=False,
        description="Connections begin with a PROXY header (version 1 or 2) that says who the client is. Only "
        "trusted proxies may connect.",
    )
    limits: ListenerLimits = section(ListenerLimits, "How much a client may send, and how slowly.")
    tls: ListenerTls | None = Field(default=None, description="https. Left out: http.")
    redirect: Literal["https"] | None = Field(
        default=None,
        description="`https` answers every request with 308 to the same URL with https. Left out: serves them.",
    )
    redirect_port: int = Field(default=443, ge=1, le=65535, description="The port of that https, as clients see it.")

    @model_validator(mode="after")
    def _fits(self) -> "ListenerSettings":
        if self.proxy_protocol and not self.trusted_proxies:
            raise RefusedError("`proxy_protocol` without `trusted_proxies` lets nobody in")
        if self.redirect is not None and self.tls is not None:
            raise RefusedError("`redirect` and `tls` do not go together: who comes here speaks https already")
        if "redirect_port" in self.model_fields_set and self.redirect is None:
            raise RefusedError("`redirect_port` is of no use without `redirect`")
        if "mode" in self.model_fields_set and isinstance(self.address, TcpAddress):
            raise RefusedError("`mode` is of use for unix sockets only")
        return self


class WorkerLimits(Section):
    """How much memory clients may take, of each worker."""

    unread: Size = default(
        "512MiB",
        "Most bytes of replies that clients leave unread. Beyond half of that the replies of slow clients are cut, "
        "beyond it any: "
        "first those of the caller that leaves most.",
    )
    read_ahead: Size = default(
        "64MiB",
        "Most bytes of request bodies that are read before a connection to the service is taken; more are passed on as "
        "they come.",
    )


class Paths(Section):
    """How the paths of requests are taken."""

    empty_segments: Literal["refuse", "merge"] = Field(
        default="merge",
        description="Two slashes in a row: `merge` matches and forwards them as one, `refuse` answers 400.",
    )


class ServerSettings(Section):
    """The processes and their listeners."""

    workers: Workers = Field(
        default=None,
        description="Number of worker processes: `auto` is the CPUs that there are for it, and 1 without `redis`.",
        json_schema_extra={"default": "auto"},
    )
    drain_delay: Duration = default("5s", "Keep accepting this long after /readyz fails: lists of endpoints lag.")
    drain_timeout: Duration = default("30s", "Requests in flight at the end of `drain_delay` finish within this.")
    listeners: Annotated[Many[ListenerSettings], Field(min_length=1)] = Field(
        default_factory=lambda: (ListenerSettings(),), description="Where clients are served."
    )
    limits: WorkerLimits = section(WorkerLimits, "How much memory clients may take, of each worker.")
    paths: Paths = section(Paths, "How the paths of requests are taken.")
    limits_path: OwnPath | None = Field(
        default=None,
        description="Where a caller is told what it has of its limits, at no cost: `/_gateway/limits`, for example. "
        "Left out: nowhere.",
    )
    openapi_path: DocumentPath | None = Field(
        default=None,
        description="Where the OpenAPI document of the routes is served: `/openapi.json`, for example, and "
        "`/openapi.yaml` then. Left out: nowhere.",
    )
    docs_path: OwnPath | None = Field(
        default=None,
        description="Where a page for browsers shows the document at `openapi_path`, and calls what it describes: "
        "`/docs`, for example. Left out: nowhere.",
    )

    self_service_path: OwnPath | None = Field(
        default=None,
        description="Where a caller is shown its own key, and below it at `/rotate` gets a new secret: "
        "`/_gateway/key`, for example. Needs keys in Redis. Left out: nowhere.",
    )

    @model_validator(mode="after")
    def _has_document(self) -> "ServerSettings":
        if self.docs_path is not None and self.openapi_path is None:
            raise RefusedError("`docs_path` is of no use without `openapi_path`", "the page shows that document")
        return self


class AdminSettings(Section):
    """The second listener, for operators: /healthz, /readyz, /metrics."""

    LATER: ClassVar[frozenset[str]] = frozenset({"tls"})

    address: AddressValue = default("127.0.0.1:9901", "`host:port` of health, readiness and metrics.")
    advertise: AddressValue | None = Field(
        default=None,
        description="`host:port` where other gateways with the same Redis reach this listener. Left out: `address`, or "
        "if that is all interfaces the address from which Redis is asked.",
    )
    hosts: Many[ServerName] = Field(
        default=(),
        description="Names by which it may be asked, besides `localhost`, that of `address` and IP addresses. By "
        "any other name a page in "
        "somebody's browser could read it.",
    )
    allow: Many[AddressRange] = Field(
        default=(), description="Addresses that may ask, such as `10.0.0.0/8`; all others get 403. Left out: all."
    )
    deny: Many[AddressRange] = Field(default=(), description="Addresses that may not, whatever `allow` says.")
    token: Token | None = Field(
        default=None, description="Asked for by whatever changes something. Left out, nothing can be changed."
    )


class RedisSettings(Section):
    """The store that gateways share for limits."""

    url: RedisUrlValue = Field(
        description=(
            "`redis://host:port/database`, `redis+sentinel://host:port,host:port/service/database`, "
            "`redis+cluster://host:port,host:port` or `unix:///path`; `user:password@` before the hosts, `rediss` "
            "for TLS."
        )
    )
    username: Password | None = Field(default=None, description="Of the login, where it does not stand in `url`.")
    password: Password | None = Field(
        default=None, description="Of the login, as it is: nothing in it is percent-encoded."
    )
    password_file: PasswordFile | None = Field(
        default=None,
        description="A file with the password, relative to this one. A line break at its end does not count.",
    )
    key_prefix: str = Field(
        default="gw", pattern=r"^[A-Za-z0-9._:-]{1,64}$", description="First part of every key written to Redis."
    )
    timeout: PositiveDuration = default("50ms", "The whole budget of one decision, connecting included.")
    on_failure: OnFailure = Field(
        default="local",
        description="While Redis is away: `local` counts this gateway's share in memory, `allow` does not limit, "
        "`deny` answers 503.",
    )

    @model_validator(mode="after")
    def _one_login(self) -> "RedisSettings":
        if self.password is not None and self.password_file is not None:
            raise RefusedError("`password` and `password_file` are two ways to say one thing", "leave one of them out")
        if self.username is not None and self.password is None and self.password_file is None:
            raise RefusedError("there is a `username` and no password", "write `password` or `password_file`")
        self.login_url()
        return self

    def login_url(self) -> str:
        """Return `url` with the login in it, wherever that was given."""
        url, password = self.url.get_secret_value(), self.password or self.password_file
        if password is None:
            return url
        username = "" if self.username is None else self.username.get_secret_value()
        try:
            return with_login(url, username, password.get_secret_value())
        except ValueError as error:
            raise RefusedError(str(error)) from None
