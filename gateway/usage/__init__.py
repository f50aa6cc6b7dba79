"""What callers have used of their limits and quotas, for themselves and for operators."""
