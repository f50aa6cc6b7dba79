"""Parts that all connections share: addresses, listening sockets, batched writes and PEM files."""
