"""Spans for OpenTelemetry: what is kept of a request, and a thread that sends it. No request waits for that."""
