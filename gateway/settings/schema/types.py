"""The types of the schema's fields: the rule for a value, and its JSON Schema for editors."""

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, PlainValidator, SecretStr, WithJsonSchema

from gateway.kernel import units
from gateway.kernel.http.cors import ORIGIN_PATTERN
from gateway.net import address as net
from gateway.net import redis_url
from gateway.settings.schema import addresses, values

T = TypeVar("T")


class Section(BaseModel):
    """A mapping of the configuration. `LATER` holds keys that are known but not supported yet.

    `model_dump(mode="json")` spells values as a file does (`30s`, `8MiB`), and hides tokens and passwords.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)
    LATER: ClassVar[frozenset[str]] = frozenset()


def _shape(*examples: str, **schema: object) -> WithJsonSchema:
    """Return the JSON Schema of a text; `examples` are for editors."""
    shown = {"examples": [*examples]} if examples else {}
    return WithJsonSchema({"type": "string", **schema, **shown})


spelled = PlainSerializer(str, when_used="json")
_hidden = PlainSerializer(lambda _: "***", when_used="json")
_in_utc = PlainSerializer(lambda instant: instant.astimezone(UTC).isoformat().replace("+00:00", "Z"), when_used="json")
in_time = PlainSerializer(units.format_duration, when_used="json")
_in_percent = PlainSerializer(units.format_percent, when_used="json")
_in_bytes = PlainSerializer(units.format_size, when_used="json")


def _secret(rule: Callable[[object], str]) -> PlainValidator:
    # An empty secret is none: it would open to whoever sends nothing.
    return PlainValidator(lambda value: SecretStr(text) if (text := rule(value)) else None)


Many: TypeAlias = Annotated[tuple[T, ...], Field(strict=False)]
"""A list. Strictness is about its items; YAML knows no tuples."""

Duration: TypeAlias = Annotated[
    float, PlainValidator(values.duration), in_time, _shape("30s", pattern=units.DURATION_PATTERN)
]
"""Seconds."""
PositiveDuration: TypeAlias = Annotated[
    float, PlainValidator(values.positive_duration), in_time, _shape("30s", pattern=units.DURATION_PATTERN)
]
"""Seconds, more than 0."""
Size: TypeAlias = Annotated[int, PlainValidator(values.size), _in_bytes, _shape("8MiB", pattern=units.SIZE_PATTERN)]
"""Bytes."""
Percent: TypeAlias = Annotated[
    float, PlainValidator(values.percent), _in_percent, _shape("10%", pattern=units.PERCENT_PATTERN)
]
"""A share from 0 to 1."""
Id: TypeAlias = Annotated[
    str, PlainValidator(values.identifier), _shape("orders", pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$")
]
IdPattern: TypeAlias = Annotated[
    str, PlainValidator(values.identifier_pattern), _shape("orders.*", pattern=r"^[A-Za-z0-9.*_:@-]{1,128}$")
]
HeaderName: TypeAlias = Annotated[
    str,
    PlainValidator(values.header_name),
    _shape("X-Request-Source", pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
]
HeaderNames: TypeAlias = Annotated[
    str,
    PlainValidator(values.header_names),
    _shape("X-Internal-*", pattern=r"^[!#$%&'+.^_`|~0-9A-Za-z-]+\*?$"),
]
"""A field name, or with `*` at its end all names that begin so."""
HeaderValue: TypeAlias = Annotated[str, PlainValidator(values.header_value), _shape("a value")]
QueryName: TypeAlias = Annotated[str, PlainValidator(values.query_name), _shape("page", pattern=r"^[A-Za-z0-9._~-]+$")]
Method: TypeAlias = Annotated[str, PlainValidator(values.method), _shape(enum=list(values.METHODS))]
PathPattern: TypeAlias = Annotated[str, PlainValidator(values.path_pattern), _shape("/v1/orders/{id}", pattern="^/")]
OwnPath: TypeAlias = Annotated[str, PlainValidator(values.own_path), _shape("/_gateway/x", pattern="^/")]
DocumentPath: TypeAlias = Annotated[
    str, PlainValidator(values.document_path), _shape("/openapi.json", pattern=r"^/.*\.json$")
]
PathPrefix: TypeAlias = Annotated[str, PlainValidator(values.path_prefix), _shape("/v1", pattern="^/")]
AddressValue: TypeAlias = Annotated[
    net.Address, PlainValidator(addresses.address), spelled, _shape("10.0.0.7:9901", pattern=":[0-9]{1,5}$")
]
ListenAddress: TypeAlias = Annotated[
    net.Address | net.UnixAddress,
    PlainValidator(addresses.listen_address),
    spelled,
    _shape("0.0.0.0:8080", pattern="^unix:/|:[0-9]{1,5}$"),
]
AddressRange: TypeAlias = Annotated[
    IPv4Network | IPv6Network,
    PlainValidator(addresses.network),
    spelled,
    _shape("10.0.0.0/8", pattern="^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"),
]
TrustedProxy: TypeAlias = Annotated[
    IPv4Network | IPv6Network | str, PlainValidator(addresses.trusted_proxy), spelled, _shape("10.0.0.0/8")
]
"""An address range, or "unix" for whoever comes through a unix socket."""
TargetUrlValue: TypeAlias = Annotated[
    net.TargetUrl,
    PlainValidator(addresses.target_url),
    spelled,
    _shape("http://10.0.0.1:3000", pattern="^https?://"),
]
RedisUrlValue: TypeAlias = Annotated[
    SecretStr,
    _secret(addresses.redis_url),
    _hidden,
    _shape("redis://cache:6379/0", pattern=redis_url.PATTERN),
]
Password: TypeAlias = Annotated[SecretStr, _secret(values.password), _hidden, _shape()]
PasswordFile: TypeAlias = Annotated[SecretStr, _secret(values.password_file), _hidden, _shape()]
"""The password in the file that is named."""
Token: TypeAlias = Annotated[SecretStr, _secret(values.token), _hidden, _shape()]
ServerName: TypeAlias = Annotated[
    str,
    PlainValidator(addresses.server_name),
    _shape("gateway.internal", pattern=addresses.SERVER_NAME_PATTERN),
]
HostPattern: TypeAlias = Annotated[
    str, PlainValidator(addresses.host_pattern), _shape("*.example.com", pattern=addresses.HOST_PATTERN)
]
"""A host name in lower case, or one with `*.` in place of its first labels."""
PageOrigin: TypeAlias = Annotated[
    str, PlainValidator(addresses.origin), _shape("https://shop.example.com", pattern=ORIGIN_PATTERN)
]
"""The origin of a page in a browser, with `*.` for any labels, or "*"."""
Digest: TypeAlias = Annotated[str, PlainValidator(values.digest), _shape("0a" * 32, pattern="^[0-9a-f]{64}$")]
Subject: TypeAlias = Annotated[str, PlainValidator(addresses.subject), _shape("CN=billing", pattern="^[A-Za-z0-9.]+=")]
Instant: TypeAlias = Annotated[
    datetime, PlainValidator(values.instant), _in_utc, _shape("2027-06-30T00:00:00Z", format="date-time")
]
Href: TypeAlias = Annotated[str, PlainValidator(values.href), _shape("https://docs.example.com", pattern="^https?://")]
Version: TypeAlias = Annotated[int, PlainValidator(values.version), WithJsonSchema({"const": 1})]
Workers: TypeAlias = Annotated[
    int | None,
    PlainValidator(values.workers),
    PlainSerializer(lambda workers: workers or "auto", when_used="json"),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": values.MOST_WORKERS}]}),
]


def default(written: JsonValue, description: str) -> Any:
    """Return a field's default as YAML has it (`30s`, `8MiB`), which is how the JSON Schema shows it, too."""
    return Field(
        default=written, validate_default=True, description=description, json_schema_extra={"default": written}
    )


def section(kind: type[Section], description: str) -> Any:
    """Return a section that may be left out: every one of its fields then has its default."""
    return Field(default_factory=kind, description=description)
