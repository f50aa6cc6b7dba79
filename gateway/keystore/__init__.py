"""API keys that are kept in Redis.

records is the format of what is stored, registry changes it for `gateway keys`, reader reads it for gateways. cache
holds the keys that a worker knows, lookups and guess_throttle ask Redis for the others; sync and notifications keep the
cache up to date.
"""
