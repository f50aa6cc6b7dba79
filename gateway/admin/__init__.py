"""The second listener: health, readiness, metrics, views and changes, for operators and never for clients."""
