"""Every key of the YAML file, and every default: nowhere else.

Attributes have the names of the keys. Durations are seconds, sizes are bytes.
"""
