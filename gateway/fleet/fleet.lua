-- The records of gateways that share this Redis. KEYS: the sorted set of when each was last seen, in ms of Redis's clock,
-- and the hash of their records, both by id. ARGV: what to do (announce, leave or list), for how many ms a record counts,
-- how many there may be, and for announce and leave the id, for announce the record.
-- Returns {1, …}, or {0, the text of an error}: an error is data, so that it does not count against the server.
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    error({text = reply.err})
  end
  return reply
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local alive, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local function remove(ids)
  for _, id in ipairs(ids) do
    try('ZREM', KEYS[1], id)
    try('HDEL', KEYS[2], id)
  end
end
local ok, reply = pcall(function()
  if ARGV[1] == 'leave' then
    remove({ARGV[4]})
    return {1}
  end
  remove(try('ZRANGEBYSCORE', KEYS[1], '-inf', now - alive, 'LIMIT', 0, 100))
  remove(try('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'LIMIT', 0, 100)) -- seen by a server whose clock was ahead
  if ARGV[1] == 'announce' then
    try('ZADD', KEYS[1], now, ARGV[4])
    if try('ZCARD', KEYS[1]) > most then
      remove({ARGV[4]})
      return {0, 'ERR there are too many gateways'}
    end
    try('HSET', KEYS[2], ARGV[4], ARGV[5])
    try('PEXPIRE', KEYS[1], alive)
    try('PEXPIRE', KEYS[2], alive)
    return {1}
  end
  return {1, tostring(now), try('ZRANGE', KEYS[1], 0, most - 1, 'WITHSCORES'), try('HGETALL', KEYS[2])}
end)
if ok then
  return reply
end
return {0, type(reply) == 'table' and reply.text or tostring(reply)}
