"""The leg to the services: circuit_breaker > upstream > target > connection, each over the next.

A connection is made by connect, framed by framing and response_parser, and carries request_body and response_stream within their
deadlines. outlier_detection and health_checks say which targets are called, in memory that all workers share (shared_state).
"""
