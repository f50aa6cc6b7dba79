"""The connections to the services: circuit_breaker > upstream > target > http1.connection, each built on the next.

`connect` makes a connection, which speaks `http1`; `idle_connections` keeps those that no call uses.
`outlier_detection` and `health_checks` decide which targets are called, on data that all workers share
(`shared_state`).
"""
