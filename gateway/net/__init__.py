"""What all legs share: addresses, listening sockets, batched writes, PEM files."""
