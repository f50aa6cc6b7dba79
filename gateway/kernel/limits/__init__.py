"""Token buckets, quotas, and the header fields that report them."""
