"""What is at the other end of a socket: services, Redis, and the process that forked this one.

services     circuit > upstream > target > connection (with dial, reply, stream, upload), each over the next. standing says
             which targets are called and rounds, by looks, which are well; both write on the board
limits       limiter is what every store promises: local in memory, redis_limiter and redis_quotas in Redis. Without Redis
             ladder says what each limit does, fallback and ledger count this gateway's share, settlements are owed
Redis        redis_store is one redis_node, or a redis_cluster of them. A node is found by redis_address, or redis_sentinel,
             asked over redis_link, one connection that all callers share, and away when breaker says so
keys         key_records is how they are stored; key_store and key_notices read them, key_registry changes them
supervisor   control is what is said, desk answers its questions
"""
