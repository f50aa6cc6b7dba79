"""The closed sets of words that describe faults, and the codes of the contract with their messages."""

from typing import Literal, TypeAlias

ProxyStatus: TypeAlias = Literal[
    "connection_limit_reached",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "destination_unavailable",
    "dns_error",
    "http_protocol_error",
    "http_request_denied",
    "http_response_body_size",
    "http_response_content_coding",
    "http_response_header_section_size",
    "http_response_incomplete",
    "http_response_timeout",
    "proxy_internal_error",
    "tls_certificate_error",
]
"""The error types of RFC 9209 2.3 that are used."""
FaultSource: TypeAlias = Literal["client", "upstream", "gateway"]
"""The party that has to act: the sender of the request, the service, or the operator of the gateway."""

MISSING_ATTRIBUTE, INVALID_PARAMETER, INVALID_CREDENTIALS, UNAUTHORIZED, UNDEFINED = 1000, 1001, 1002, 1003, 1004
INVALID_URL, INVALID_METHOD = 1005, 1006
ANALYTICS, INFRASTRUCTURE, NOTIFICATION = 5000, 5001, 7000
LIMIT_EXCEEDED, DEACTIVATED = 8000, 8007
ENCODINGS_SPENT, BYTES_SPENT, QUEUED_SPENT, LIVE_SPENT, FINISHED_SPENT = 8001, 8003, 8004, 8005, 8006

MESSAGES = {
    MISSING_ATTRIBUTE: "Missing attribute or field",
    INVALID_PARAMETER: "Parameter not valid",
    INVALID_CREDENTIALS: "Invalid credentials",
    UNAUTHORIZED: "Unauthorized",
    UNDEFINED: "Undefined error",
    INVALID_URL: "Request URL not valid",
    INVALID_METHOD: "Request method not valid",
    ANALYTICS: "Analytics error",
    INFRASTRUCTURE: "Infrastructure error",
    NOTIFICATION: "Notification error",
    LIMIT_EXCEEDED: "Limit exceeded",
    ENCODINGS_SPENT: "Limit of encodings exceeded",
    BYTES_SPENT: "Limit of encoded bytes exceeded",
    QUEUED_SPENT: "Limit of queued VOD encodings exceeded",
    LIVE_SPENT: "Limit of started LIVE encodings exceeded",
    FINISHED_SPENT: "Limit of finished VOD encodings exceeded",
    DEACTIVATED: "Account deactivated, please contact support",
}
"""The message of each code, for the gateway's own faults and for a backend's error that has no text."""
