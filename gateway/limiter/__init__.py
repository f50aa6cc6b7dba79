"""Rate limits and quotas: in memory, in Redis, and what they do while Redis is away.

interface is what every limiter promises. memory_limiter and memory_quotas count in this process, redis_limiter and
redis_quotas in Redis. outage owns all that happens while Redis is away: failure_policy says what each limit does then,
fallback and quota_shares count this gateway's share, calls_in_flight and settlements tell Redis how calls ended, and
outage_journal keeps what is known where it outlives the process.
"""
