"""A client for any Redis: one multiplexed connection for each server.

client is what its users see: one server, or a cluster of them. address and sentinel find a server, connection is the
one connection that all callers share, and availability says when a server is not asked at all. blocking_client is for
commands that ask a few things and end.
"""
