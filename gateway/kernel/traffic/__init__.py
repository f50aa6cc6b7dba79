"""Policies about calls to services: which are sent again, how many at once, and to whom. Pure: time is a parameter."""
