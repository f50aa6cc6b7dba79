"""Reports how much callers have used of their limits and quotas."""
