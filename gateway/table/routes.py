"""One way through the gateway, with all that is decided about it when the configuration is loaded."""

from collections.abc import Awaitable
from typing import Any, Literal, Protocol, TypeAlias

import msgspec
from msgspec.structs import force_setattr

from gateway.kernel.addresses import AddressRules
from gateway.kernel.caching.storage import CacheRules
from gateway.kernel.envelope.checked_texts import CheckedTexts
from gateway.kernel.errors.translate import ErrorFamily
from gateway.kernel.http.compression import CompressionRules
from gateway.kernel.http.cors import CorsPolicy
from gateway.kernel.http.entity_tags import EntityTags
from gateway.kernel.http.request_headers import FieldFilter
from gateway.kernel.http.response_headers import FieldRules, as_text
from gateway.kernel.limits.token_bucket import Window
from gateway.kernel.traffic.maintenance import MaintenanceNotice
from gateway.net.static_files import StaticFile
from gateway.table.limits import Tariff
from gateway.table.public_urls import UrlMapping
from gateway.table.steering import Steering
from gateway.upstream.call import Answer, Call

Mode: TypeAlias = Literal["auto", "wrap", "passthrough"]


class Sender(Protocol):
    """The part of an upstream that a route uses."""

    id: str

    def send(self, call: Call) -> Awaitable[Answer]:
        """Send a call. Raises GatewayError with a fault whose source is `upstream`, or UPSTREAM_SATURATED."""
        ...


class Envelope(msgspec.Struct, frozen=True):
    """How a route turns an Answer into a Reply. Sizes in bytes.

    `auto` keeps replies that already are envelopes and wraps the others, `wrap` wraps all, `passthrough` none.
    `checked_texts` are the large ones that were wrapped last, of all routes that share them.
    """

    mode: Mode
    max_buffer: int
    binary: Literal["passthrough", "refuse"]
    checked_texts: CheckedTexts = msgspec.field(default_factory=CheckedTexts)


class Caching(msgspec.Struct, frozen=True):
    """The part of a route in the caches of its upstream.

    Without `rules` it has no cache of its own, but requests that change something make others forget what they have
    kept of the URL. `hit_tariff` is what is asked for a reply from memory, None for the same as for any call. `plain`:
    no stage looks at the header fields of its replies.
    """

    rules: CacheRules | None
    hit_tariff: Tariff | None = None
    plain: bool = False


class Idempotency(msgspec.Struct, frozen=True):
    """How a route knows a call that is sent again: by the field `header`, for `ttl_s` seconds."""

    header: str
    ttl_s: float


class Route(msgspec.Struct, frozen=True, eq=False):
    """One way through the gateway.

    `upstream` is None for what the gateway answers itself: a path that is nobody else's, whatever the method. `methods`
    holds HEAD beside GET. `pattern` is its path with `{param}` and `{rest*}`; with `prefix` it also covers everything
    below. `strip_segments` are cut off the front of the path and `base` is put there instead. `host` is a complete Host
    line, b"" for that of the target. `request_fields`
    are complete header lines. `own_set` are the fields that the gateway's own replies have, and `own_text` the same
    as lines with CR and LF. `privacy` are the Vary and Cache-Control of replies to keys, which `response_rules` add
    where no stage looks at the fields. `organization_field` is the other field by which replies to one key vary.
    `prefix_field` is the X-Forwarded-Prefix line for clients without proxies, "" for none; lines of X-Forwarded-* and
    Forwarded that begin with one of `unsaid` (lower case) are not sent. `url_mapping` makes URLs of the service public.
    `open_windows` limit each client address of a route that asks for no key; `open_tag` is the hash tag of its buckets,
    None for one each. `tariff` is what is asked of every caller on top, None for nothing. `subject_field` is the name
    of the header field that tells the subject of a client's certificate. `maintenance` is what
    callers are told in place of a call, None for nothing. `steering` is what is decided about each call
    beside the request itself, None for nothing. `cors` says which pages in browsers may call, None for none;
    `compression` is None where replies are not compressed, `caching` where no route of the upstream keeps any,
    `idempotency` where calls have no idempotency keys.
    `websocket`: handshakes of WebSockets are passed on.
    `addresses` says which clients may call, None for all.
    The conditions beside the path are `match_host` in lower case ("" for any host), `match_headers` as pairs of name
    and value, and `match_listener` ("" for any).
    `request` is the contract of its requests (gateway/openapi/request_contract.py), None if nothing is checked.
    `document` is the OpenAPI document that is served here (gateway/openapi/publish/exporting.py), None elsewhere. Such
    a route is open, and a key that is sent all the same says who calls. `file` is the file that is served here, in the
    same way, but to everybody alike. `self_service` shows and rotates keys (gateway/key_management/own_key.py), None
    elsewhere.
    `plain` follows from the others: a call takes none of the stages that only some routes have.
    """

    id: str
    pattern: str
    prefix: bool
    methods: tuple[str, ...]
    upstream: Sender | None
    host: bytes
    base: str
    strip_segments: int
    envelope: Envelope
    family: ErrorFamily
    open: bool
    open_plan: str
    open_windows: tuple[Window, ...]
    open_tag: str | None
    tariff: Tariff | None
    request_filter: FieldFilter
    request_fields: bytes
    response_set: tuple[tuple[str, str], ...]
    response_rules: FieldRules
    own_set: tuple[tuple[str, str], ...]
    privacy: tuple[tuple[str, str], ...]
    organization_field: str
    url_mapping: UrlMapping
    prefix_field: str
    unsaid: tuple[str, ...]
    connect_timeout_s: float
    first_byte_timeout_s: float
    total_timeout_s: float
    idle_timeout_s: float
    events_idle_timeout_s: float
    subject_field: str
    cors: CorsPolicy | None = None
    steering: Steering | None = None
    maintenance: MaintenanceNotice | None = None
    websocket: bool = False
    addresses: AddressRules | None = None
    match_host: str = ""
    match_headers: tuple[tuple[str, str], ...] = ()
    match_listener: str = ""
    request: Any = None
    document: Any = None
    file: StaticFile | None = None
    self_service: Any = None
    entity_tags: EntityTags = msgspec.field(default_factory=EntityTags)
    compression: CompressionRules | None = None
    caching: Caching | None = None
    idempotency: Idempotency | None = None
    plain: bool = False
    own_text: str = ""

    def __post_init__(self) -> None:
        """Set what follows from the other fields."""
        rare = (
            self.maintenance, self.addresses, self.tariff, self.request, self.caching, self.steering, self.idempotency,
        )  # fmt: skip
        plain = self.upstream is not None and not self.open and all(each is None for each in rare)
        force_setattr(self, "plain", plain)
        force_setattr(self, "own_text", as_text(self.own_set))

    @property
    def specificity(self) -> tuple[bool, int]:
        """The number of conditions, by which one of two routes for the same host and path is chosen."""
        return bool(self.match_listener), len(self.match_headers)

    def upstream_path(self, path: str) -> str:
        """Return `path` below the path of a target, "" for just that path. What is kept stays byte for byte."""
        if not self.strip_segments:
            return self.base + path
        at = 0
        for _ in range(self.strip_segments):
            at = path.find("/", at + 1)
            if at < 0:
                return self.base
        return self.base + path[at:]
