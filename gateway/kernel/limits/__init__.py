"""Decides about calls, as pure functions of state and time: token buckets, quotas, and what replies say about them."""
