"""The closed sets of words that describe faults."""

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
