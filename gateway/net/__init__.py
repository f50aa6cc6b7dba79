"""What every connection shares: addresses, URLs of Redis, certificates, listening sockets, batched writes and PEM
files.
"""
