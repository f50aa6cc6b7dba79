"""What the parts of a configuration mean together."""
