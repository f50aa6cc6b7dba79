"""Writes events of a listener that belong to no request to metrics and log."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from gateway.observe.metrics import Metrics

if TYPE_CHECKING:
    from gateway.net.certificates import Certificate

_SOON_S = 14 * 86400.0
_LOG_AGAIN_S = 60.0
"""A state that persists is logged once in so many seconds."""


class ListenerEvents:
    """The events of the listener with the name `listener`. `wall` reads Unix time in seconds."""

    def __init__(self, metrics: Metrics, listener: str, wall: Callable[[], float]) -> None:
        self._metrics = metrics
        self._listener = listener
        self._wall = wall
        self._warned: set[str] = set()
        self._logged: dict[str, float] = {}
        # The series exists from the start, because Prometheus sees no increase from a missing series to 1.
        self._rejected = metrics.connections_refused.labels(listener)

    def rejected(self, most: int) -> None:
        """Count a client beyond the limit of `most`."""
        self._rejected.inc()
        if self._is_due("rejected"):
            structlog.get_logger().warning(
                "too many connections, told once a minute", listener=self._listener, connections=most
            )

    def cannot_accept(self, reason: str) -> None:
        if self._is_due("cannot accept"):
            structlog.get_logger().error(
                "cannot accept connections, told once a minute", listener=self._listener, reason=reason
            )

    def _is_due(self, what: str) -> bool:
        now = self._wall()
        if now - self._logged.get(what, -_LOG_AGAIN_S) < _LOG_AGAIN_S:
            return False
        self._logged[what] = now
        return True

    def handshake_failed(self, reason: str) -> None:
        self._metrics.tls_handshake_failures.labels(self._listener, reason).inc()

    def proxy_rejected(self, reason: str) -> None:
        self._metrics.proxy_protocol_refused.labels(self._listener, reason).inc()
        if reason not in self._warned:
            self._warned.add(reason)
            structlog.get_logger().warning("no valid PROXY header, told once", listener=self._listener, reason=reason)

    def certificate_read(self, path: str, certificate: "Certificate") -> None:
        self._metrics.tls_certificate_expiry.labels(self._listener, path).set(certificate.not_after)
        self._metrics.tls_certificate_reads.labels(self._listener, "read").inc()
        self._metrics.tls_certificate_reads.labels(self._listener, "refused").inc(0)
        left_s = certificate.not_after - self._wall()
        about = {
            "listener": self._listener,
            "certificate": path,
            "names": list(certificate.names),
            "days_left": int(left_s // 86400),
        }
        log = structlog.get_logger()
        if left_s <= 0:
            log.error("certificate has expired", **about)
        elif left_s < _SOON_S:
            log.warning("certificate expires soon", **about)
        else:
            log.info("certificate read", **about)

    def certificate_rejected(self, path: str, why: str) -> None:
        self._metrics.tls_certificate_reads.labels(self._listener, "refused").inc()
        structlog.get_logger().error(
            "certificate not usable, the one before stays in force",
            listener=self._listener,
            certificate=path,
            reason=why,
        )
