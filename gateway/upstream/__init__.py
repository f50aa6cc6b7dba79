"""The connections to the services: circuit_breaker > upstream > target > connection, each built on the next.

`connect` makes a connection; `framing` and `response_parser` read and write its messages; `request_body` and
`response_stream` carry the bodies, within the `deadlines` of the call. `outlier_detection` and `health_checks` decide
which targets are called, on data that all workers share (`shared_state`).
"""
