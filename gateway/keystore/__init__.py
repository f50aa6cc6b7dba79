"""API keys that are kept in Redis: their records, readers and editors, and the cache of each worker."""
