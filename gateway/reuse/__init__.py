"""Replies that answer more than one request: the cache of a route, and idempotency keys."""
