"""Rate limits and quotas: in memory, in Redis, and what they do while Redis is away.

interface is what every limiter promises. memory_limiter and memory_quotas count here; redis_limiter and redis_quotas in Redis.
outage knows what is shared, counted here or owed; failure_policy says what a limit does then; fallback counts this gateway's
share; settlements tell Redis how calls ended.
"""
