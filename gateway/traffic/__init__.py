"""Steers calls between callers and upstreams: how many at once, which upstream, and what is sent twice on purpose."""
