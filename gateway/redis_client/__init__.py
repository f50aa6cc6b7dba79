"""A client for any Redis: one multiplexed connection for each server.

client is what its users see: one server, or a cluster of them. A server is found at an address, or by way of sentinel, and asked
over a connection that all callers share; availability says when it is not asked at all.
"""
