"""The admin listener: health, readiness, metrics, pages about the gateway and changes to it, for operators only."""
