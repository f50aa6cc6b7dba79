"""The response envelope: written around a body, adopted from a service that speaks it, repaired if malformed."""
