"""What the gateway costs, against a plain nginx proxy in the same run: `python -m tests.bench`."""
