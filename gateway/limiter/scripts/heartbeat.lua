-- Announces a gateway, and counts all. KEYS: the sorted set of when each was last seen, ms of Redis's clock.
-- ARGV: its id, for how many ms it counts as alive. Returns their number, 0 when the user may not use these commands.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.pcall('ZADD', KEYS[1], now, ARGV[1])
redis.pcall('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.pcall('ZREMRANGEBYSCORE', KEYS[1], '(' .. now, '+inf') -- seen by a server whose clock was ahead
redis.pcall('PEXPIRE', KEYS[1], ARGV[2])
local count = redis.pcall('ZCARD', KEYS[1])
return type(count) == 'number' and count or 0
