"""The catalogue of faults: one row for each error that the gateway itself answers with.

A `Fault` is a row; a `GatewayError` is one occurrence of it. Status and code follow the table "Status and code" of the
contract. All that the rest of the gateway decides by fault stands in its row: there are no sets of faults elsewhere.
Operators may override status, code, texts and links of a row by its name (`errors:` in the configuration):
`table.compile.build_faults` makes the rows in force.
"""

from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec

from gateway.kernel.fault_types import MESSAGES, UNDEFINED, FaultSource, ProxyStatus


class Link(NamedTuple):
    """A Link of the contract. `title` is always sent."""

    href: str
    title: str


class Detail(NamedTuple):
    """One entry of an ERROR's `details`: what is wrong, and in which field if it is one field."""

    text: str
    field: str | None = None
    type: Literal["INFO", "ERROR", "WARNING", "DEBUG", "TRACE"] = "ERROR"
    more: dict[str, str] | None = None


class Fault(msgspec.Struct, frozen=True, cache_hash=True):
    """A row of the catalogue.

    `message` is for the caller's user, `developer_message` is for the caller's developer and names what to do.
    `retryable` faults are answered with `Retry-After`. `proxy_status` is the RFC 9209 error type, if one fits.
    `reached_service`: the service may have received the request or a part of it. Without it, another target may be
    tried.
    `against_target`: the target did not answer. Outlier detection and circuit breakers count such faults; they do not
    count faults in the contents of an answer, or a lack of free connections.
    `ends_connection`: the client connection is closed after the reply, because it is not known where the next request
    begins.
    """

    name: str
    status: int
    code: int
    message: str
    developer_message: str
    source: FaultSource
    retryable: bool = False
    proxy_status: ProxyStatus | None = None
    links: tuple[Link, ...] = ()
    reached_service: bool = False
    against_target: bool = False
    ends_connection: bool = False

    @property
    def of_upstream(self) -> bool:
        """Whether the fault occurs on the way to an upstream or in its answer, and counts as its error."""
        return self.name.startswith("upstream_")


class GatewayError(Exception):
    """One occurrence of a fault.

    `developer_message` replaces the text of the row where the occurrence has a more precise one; `row` is used in place
    of the catalogue's row. `details` never contain a secret. `allow` is the Allow field of a 405; `retry_after_s` is a
    whole number of seconds, 1 or more. `cause` is for the log only: it may name hosts and operating system errors, but
    never a key. `prepared` is what stages/error_reply.py keeps of a reply to it.

    Laws: an error that is stored on an exchange, a connection or a stream is stored through `kept`. Its traceback
    refers to the frames that it passed through, and these refer to the exchange, its body and the object that stores
    the error: a cycle that only the garbage collector frees. An error that is returned may be returned again to the
    next one whom it fits, so nobody changes or raises it.
    """

    __slots__ = ("allow", "cause", "details", "developer_message", "fault", "prepared", "retry_after_s", "row")

    def __init__(
        self,
        fault: Fault,
        *,
        developer_message: str | None = None,
        row: Fault | None = None,
        details: tuple[Detail, ...] = (),
        allow: str | None = None,
        retry_after_s: int | None = None,
        cause: str | None = None,
    ) -> None:
        super().__init__(fault.name)
        self.fault, self.row = fault, row
        self.developer_message, self.details = developer_message, details
        self.allow = allow
        self.retry_after_s = retry_after_s
        self.cause = cause
        self.prepared: Any = None

    def kept(self) -> "GatewayError":
        """Return this error without its traceback and without the errors that caused it."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self


@cache
def refusal(fault: Fault) -> GatewayError:
    """Return the occurrence of `fault` that has nothing of its own: one for all, to be returned and not raised."""
    return GatewayError(fault)


def _row(
    name: str,
    status: int,
    code: int,
    text: str,
    *,
    source: FaultSource = "client",
    retryable: bool = False,
    proxy_status: ProxyStatus | None = None,
    reached_service: bool = False,
    against_target: bool = False,
    ends_connection: bool = False,
) -> Fault:
    return Fault(
        name, status, code, MESSAGES[code], text, source, retryable, proxy_status, (),
        reached_service, against_target, ends_connection,
    )  # fmt: skip


def _upstream_row(
    name: str,
    proxy_status: ProxyStatus,
    *,
    text: str,
    source: FaultSource = "upstream",
    reached_service: bool = False,
    against_target: bool = False,
) -> Fault:
    return _row(
        name, 503, UNDEFINED, text, source=source, retryable=True, proxy_status=proxy_status,
        reached_service=reached_service, against_target=against_target,
    )  # fmt: skip


# Malformed or oversized requests
MALFORMED_REQUEST = _row("malformed_request", 400, 1001, ends_connection=True, reached_service=True,
    text="The request is not valid HTTP/1.1 (RFC 9112). Correct its request line, header fields or framing.")
MALFORMED_PATH = _row("malformed_path", 400, 1001,
    text="The path can be read in more than one way. Send it without dot segments, empty segments, backslashes or "
         "needless percent-encoding.")
REQUEST_TIMEOUT = _row("request_timeout", 408, 1001, ends_connection=True, reached_service=True,
    text="The request did not arrive in time. Send its head and body without long pauses.")
BODY_TOO_LARGE = _row("body_too_large", 413, 1001, ends_connection=True, reached_service=True,
    text="The request body is larger than this gateway accepts. Send less, or ask for a higher `limits.body`.")
URL_TOO_LONG = _row("url_too_long", 414, 1001, ends_connection=True,
    text="The request URL is longer than this gateway accepts. Move parameters into the body.")
EXPECTATION_FAILED = _row("expectation_failed", 417, 1001, ends_connection=True,
    text="The only expectation supported is `Expect: 100-continue`.")
HEADERS_TOO_LARGE = _row("headers_too_large", 431, 1001, ends_connection=True, reached_service=True,
    text="The request header fields are larger than this gateway accepts. Send fewer or smaller ones.")
UPGRADE_UNSUPPORTED = _row("upgrade_unsupported", 426, 1001,
    text="No WebSocket can be opened here. Ask without the Upgrade header field, or for a path that has one.")
TRANSFER_CODING_UNSUPPORTED = _row("transfer_coding_unsupported", 501, 1001, ends_connection=True,
    text="The only transfer coding supported is `chunked`.")
HTTP_VERSION_UNSUPPORTED = _row("http_version_unsupported", 505, 1001, ends_connection=True,
    text="Speak HTTP/1.1 or HTTP/1.0 to this address.")
# Requests that are not as the API describes them
REQUEST_INCOMPLETE = _row("request_incomplete", 400, 1000,
    text="Fields that are required are missing from the request. The details say which.")
REQUEST_INVALID = _row("request_invalid", 400, 1001,
    text="The request is not as the API describes it. The details say what is wrong, field by field.")
MEDIA_TYPE_UNSUPPORTED = _row("media_type_unsupported", 415, 1001,
    text="The request body is of a media type that is not accepted here. The details say which are.")
BODIES_FULL = _row("bodies_full", 503, 1004, source="gateway", retryable=True, proxy_status="connection_limit_reached",
    text="As many request bodies are being read to be checked as may be. Try again shortly.")
# Who calls
KEY_MISSING = _row("key_missing", 401, 1002, "Send your API key in the X-Api-Key header field.")
KEY_AMBIGUOUS = _row("key_ambiguous", 401, 1002, "More than one API key was sent. Send exactly one.")
KEY_UNKNOWN = _row("key_unknown", 401, 1002, "The API key is not known. Check it for missing or added characters.")
KEY_EXPIRED = _row("key_expired", 401, 1002, "The API key has expired. Ask for a new one.")
ROUTE_FORBIDDEN = _row("route_forbidden", 403, 1003, "The API key may not use this route.")
METHOD_FORBIDDEN = _row("method_forbidden", 403, 1003, "The API key may not use this method.")
ORGANIZATION_FORBIDDEN = _row("organization_forbidden", 403, 1003,
    text="The API key does not belong to the organisation asked for in the request.")
ADDRESS_FORBIDDEN = _row("address_forbidden", 403, 1003, "Requests from your address are not allowed here.")
REFERRER_FORBIDDEN = _row("referrer_forbidden", 403, 1003, "The API key is for pages of other origins.")
ORIGIN_FORBIDDEN = _row("origin_forbidden", 403, 1003, "Pages of this origin may not call here.")
KEY_DISABLED = _row("key_disabled", 403, 8007, "The API key is deactivated. Contact support.")
ORGANIZATION_DISABLED = _row("organization_disabled", 403, 8007, "The organisation is deactivated. Contact support.")
KEY_UNUSABLE = _row("key_unusable", 403, 1003, source="gateway",
    text="The API key is set up in a way that this gateway does not understand. Contact support.")
KEYS_UNAVAILABLE = _row("keys_unavailable", 503, 1004, source="gateway", retryable=True,
    text="The API key cannot be checked at present. Try again shortly.")
# The same call again
IDEMPOTENCY_KEY_INVALID = _row("idempotency_key_invalid", 400, 1001,
    text="Send the idempotency key once, as 1 to 255 characters.")
IDEMPOTENCY_CONFLICT = _row("idempotency_conflict", 409, 1001,
    text="A call with this idempotency key is being answered. Wait for its reply, or ask again shortly.")
IDEMPOTENCY_REPLY_NOT_KEPT = _row("idempotency_reply_not_kept", 409, 1001,
    text="The first call with this idempotency key was answered. Its reply is too large to be repeated.")
IDEMPOTENCY_MISMATCH = _row("idempotency_mismatch", 422, 1001,
    text="A call with this idempotency key had another body or URL. Use a new key for another call.")
# Where to
NO_ROUTE = _row("no_route", 404, 1005, "No route matches this path. Check it for spelling, case and a trailing slash.")
METHOD_NOT_ALLOWED = _row("method_not_allowed", 405, 1006,
    text="The method is not available here. The Allow header field lists those that are.")
# How often
RATE_LIMITED = _row("rate_limited", 429, 8000, retryable=True,
    text="The rate limit is spent. Wait as long as Retry-After says.")
QUOTA_SPENT = _row("quota_spent", 429, 8001, retryable=True,
    text="A quota of your plan is spent. The details say which, and when it opens again.")
CONCURRENCY_EXCEEDED = _row("concurrency_exceeded", 429, 8000, retryable=True,
    text="As many requests are being answered as you may have at once. Wait for one of them.")
LIMITER_UNAVAILABLE = _row("limiter_unavailable", 503, 1004, source="gateway", retryable=True,
    text="The rate limit cannot be checked at present. Try again shortly.")
# The service behind
UPSTREAM_REFUSED = _upstream_row("upstream_refused", "connection_refused", against_target=True,
    text="The service refused the connection. Try again shortly.")
UPSTREAM_UNREACHABLE = _upstream_row("upstream_unreachable", "destination_unavailable", against_target=True,
    text="The service cannot be reached. Try again shortly.")
UPSTREAM_NAME_UNRESOLVED = _upstream_row("upstream_name_unresolved", "dns_error", against_target=True,
    text="The service's name cannot be resolved. Try again shortly.")
UPSTREAM_TLS_FAILED = _upstream_row("upstream_tls_failed", "tls_certificate_error", against_target=True,
    text="No trusted connection to the service could be made. Try again later.")
UPSTREAM_CONNECT_TIMEOUT = _upstream_row("upstream_connect_timeout", "connection_timeout", against_target=True,
    text="The service did not accept a connection in time. Try again shortly.")
UPSTREAM_CIRCUIT_OPEN = _upstream_row("upstream_circuit_open", "destination_unavailable",
    text="The service has failed too often and is left alone for a while. Wait as long as Retry-After says.")
UPSTREAM_SATURATED = _upstream_row("upstream_saturated", "connection_limit_reached", source="gateway",
    text="All connections to the service are busy. Try again shortly.")
UPSTREAM_SHARE_SPENT = _upstream_row("upstream_share_spent", "connection_limit_reached", source="gateway",
    text="You have as many calls to the service under way as one caller may. Wait for one of them to end.")
UPSTREAM_STREAMS_FULL = _upstream_row(
    "upstream_streams_full", "connection_limit_reached", source="gateway", reached_service=True,
    text="As many long replies of the service are under way as may be. The request may have been processed. Try "
         "again shortly.")
UPSTREAM_RESET = _upstream_row("upstream_reset", "connection_terminated", reached_service=True, against_target=True,
    text="The service closed the connection before it answered. The request may have been processed.")
UPSTREAM_TIMEOUT = _upstream_row("upstream_timeout", "http_response_timeout", reached_service=True, against_target=True,
    text="The service did not answer in time. The request may have been processed.")
UPSTREAM_INCOMPLETE = _upstream_row(
    "upstream_incomplete", "http_response_incomplete", reached_service=True, against_target=True,
    text="The service's answer broke off. The request may have been processed.")
UPSTREAM_PROTOCOL_ERROR = _upstream_row(
    "upstream_protocol_error", "http_protocol_error", reached_service=True, against_target=True,
    text="The service's answer is not valid HTTP. The request may have been processed.")
UPSTREAM_HEADERS_TOO_LARGE = _upstream_row(
    "upstream_headers_too_large", "http_response_header_section_size", reached_service=True,
    text="The service's answer has too large a header section. The request may have been processed.")
UPSTREAM_BODY_INVALID = _upstream_row("upstream_body_invalid", "http_protocol_error", reached_service=True,
    text="The service's answer is not the JSON that it claims to be. The request may have been processed.")
UPSTREAM_CODING_INVALID = _upstream_row("upstream_coding_invalid", "http_response_content_coding", reached_service=True,
    text="The service's answer is in a content coding that cannot be decoded. The request may have been processed.")
UPSTREAM_BODY_TOO_LARGE = _upstream_row("upstream_body_too_large", "http_response_body_size", reached_service=True,
    text="The service's answer is larger than this gateway passes on. The request may have been processed.")
UPSTREAM_TYPE_REFUSED = _upstream_row("upstream_type_refused", "http_protocol_error", reached_service=True,
    text="The service's answer is neither JSON nor plain text. The option `envelope.binary: passthrough` of the "
         "route passes such answers on as they are.")
# The gateway
MAINTENANCE = _row("maintenance", 503, 1004, source="gateway", retryable=True, text="Wait as long as Retry-After says.")
INTERNAL_ERROR = _row(
    "internal_error", 500, 1004, source="gateway", retryable=True, proxy_status="proxy_internal_error",
    reached_service=True,
    text="The gateway failed. Report the requestId to its operator.")
TOO_MANY_CONNECTIONS = _row(
    "too_many_connections", 503, 1004, source="gateway", retryable=True, proxy_status="connection_limit_reached",
    text="The gateway has as many connections as it may. Try again shortly.")
SHUTTING_DOWN = _row("shutting_down", 503, 1004, source="gateway", retryable=True, proxy_status="http_request_denied",
    reached_service=True,
    text="The gateway is shutting down and did not wait for the service any longer. The request may have been "
         "processed.")
REPLY_NOT_TAKEN = _row("reply_not_taken", 499, 1004, reached_service=True,
    text="The client left too much of its replies unread. Seen in logs and metrics only.")
TUNNEL_IDLE = _row("tunnel_idle", 499, 1004, reached_service=True,
    text="Nothing went through a tunnel for longer than `timeouts.idle`. Seen in logs and metrics only.")
CLIENT_CLOSED = _row("client_closed", 499, 1004, reached_service=True,
    text="The client went away before it was answered. Seen in logs and metrics only.")

CATALOGUE: dict[str, Fault] = {row.name: row for row in list(globals().values()) if isinstance(row, Fault)}
"""All rows by name, in the order of this file."""
